"""What makes the default model a reading desk: a LoRA adapter, trained to answer from one passage or to say NONE.

Low-rank additions to some of the model's weights (Hu et al., "LoRA", ICLR 2022), 16 MB beside a model of a gigabyte.
The model was made to write code; asked about passages, the adapted one finds more of the answers, says NONE more often
where there is none, and understands questions in other languages than the passage's far better (README.md has figures).

It belongs to one model file behind one prompt, as the probes do, which read what model and adapter make of a prompt.
Other models are used as they are. tests/bench/train_adapter.py trains it, refine_adapter.py further; they say on what.
"""

from __future__ import annotations

import json
from pathlib import Path

from qa.language_model import prefix_key

ADAPTER_FILE = Path(__file__).parent / "adapter.gguf"
ADAPTER_FACTS = Path(__file__).parent / "adapter.json"


def adapter_for(model_digest: str, file: Path = ADAPTER_FILE, facts: Path = ADAPTER_FACTS) -> Path | None:
    """The adapter of a model file of this SHA-256 behind the prompt as it is now, if there is one."""
    return file if adapter_digest(model_digest, facts) else None


def adapter_digest(model_digest: str, facts: Path = ADAPTER_FACTS) -> str | None:
    """The SHA-256 of that adapter; None without."""
    from qa.prompt import no_passage_messages

    if not facts.is_file():
        return None
    said = json.loads(facts.read_text(encoding="utf-8"))
    fits = (said["model"], said["prompt"]) == (model_digest, prefix_key(no_passage_messages()))
    return str(said["sha256"]) if fits else None
