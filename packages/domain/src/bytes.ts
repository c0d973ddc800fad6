/** Whether two byte arrays are the same. Not for secrets: it stops at the first difference. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

/** What is needed of the body of an answer: a stream of the web, in Node as in a browser. */
export type ByteStream = {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
};

/**
 * The bytes of an answer, unless there are more: a server that nobody has to trust may send without end, and what it says of the length
 * beforehand binds it to nothing.
 *
 * @param body null where the answer has none
 * @returns undefined where there are more than `max` bytes; the rest is not read
 */
export async function readAtMost(body: ByteStream | null, max: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    if (part.value === undefined) continue;
    length += part.value.length;
    if (length > max) {
      await reader?.cancel();
      return undefined;
    }
    chunks.push(part.value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
