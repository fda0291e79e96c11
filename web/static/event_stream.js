// Server-sent events read from a fetch response: EventSource can only GET, and asks again by itself.

/** Yields {event, data} for each event of the body, whatever way the network has cut it into chunks. */
export async function* readEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder(); // keeps the first half of a character cut by a chunk border
  let rest = "";
  let event = "message";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // A carriage return at the very end may be the first half of \r\n: it waits for the next chunk.
      const held = !done && rest.endsWith("\r") ? "\r" : "";
      const lines = rest.slice(0, rest.length - held.length).split(/\r\n|\r|\n/);
      rest = lines.pop() + held;
      for (const line of lines) {
        if (line === "") {
          if (data.length) yield { event, data: data.join("\n") };
          event = "message";
          data = [];
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event = value || "message";
        else if (field === "data") data.push(value);
      }
      if (done) return; // an event without its empty line was cut off, and is not one
    }
  } finally {
    reader.cancel().catch(() => {}); // already closed or aborted: nothing is left to cancel
  }
}
