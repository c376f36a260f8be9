/** The part of a body that was read; `isWhole` is false when there was more than the limit. */
export type BodyText = { readonly text: string; readonly isWhole: boolean };

/**
 * Reads a body as UTF-8, at most `maxBytes` of it. What lies beyond is never held in memory.
 * @throws whatever the connection throws when it breaks off.
 */
export async function readBody(response: Response, maxBytes: number): Promise<BodyText> {
  // A declared length binds the connection, so that the whole may be read at once, which costs a tenth. A compressed
  // body declares its length before unpacking and proves nothing.
  const declared = response.headers.get("content-length");
  if (declared !== null && Number(declared) <= maxBytes && !response.headers.has("content-encoding")) {
    return { text: await response.text(), isWhole: true };
  }
  if (response.body === null) return { text: "", isWhole: true };
  return await readStream(response.body, maxBytes);
}

async function readStream(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<BodyText> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let byteCount = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text: text + decoder.decode(), isWhole: true };
    byteCount += value.byteLength;
    if (byteCount > maxBytes) {
      // Nobody waits for the cancellation, and it has nothing to say: the connection is given up either way.
      reader.cancel().catch(() => undefined);
      const kept = value.subarray(0, value.byteLength - (byteCount - maxBytes));
      return { text: text + decoder.decode(kept), isWhole: false };
    }
    text += decoder.decode(value, { stream: true });
  }
}
