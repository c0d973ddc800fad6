import { CustodyError } from '@bulkhead/domain';
import { frameBytesOrdinary, openingBytes } from './protocol.ts';

/** A frame begins with its length in bytes, without these four, big-endian. */
export const lengthBytes = 4;

/** First size of the memory for a frame. It grows with what arrives, never with what was announced. */
const firstBytes = 4_096;

/** Four bytes of length, then the text in UTF-8. */
export function frameOf(text: string): Uint8Array {
  const length = Buffer.byteLength(text, 'utf8');
  const frame = Buffer.alloc(lengthBytes + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, lengthBytes, 'utf8');
  return frame;
}

/** Puts frames together from the pieces in which a socket delivers them. */
export type FrameReader = {
  /**
   * The texts of the frames that this piece completes, oldest first.
   *
   * @throws CustodyError `signer/protocol` for an empty or overlong frame and for bytes that are not UTF-8. The stream has lost
   *   its rhythm then: the connection must be closed.
   */
  read(piece: Uint8Array): readonly string[];
  /** Memory in use for a frame that is not complete, in bytes; zero between frames. */
  heldBytes(): number;
};

/**
 * @param bytesAllowed How long a frame may be, by its first {@link openingBytes} bytes; asked only for frames above
 *   {@link frameBytesOrdinary}, and before memory beyond that is taken
 */
export function createFrameReader(bytesAllowed: (opening: string) => number): FrameReader {
  let memory = Buffer.alloc(0);
  let filled = 0;
  /** Length of the frame at hand; undefined while its four bytes are incomplete. */
  let length: number | undefined;
  let admitted = false;

  const keep = (piece: Uint8Array, end: number): void => {
    const needed = filled + piece.length;
    if (needed > memory.length) {
      const grown = Buffer.alloc(Math.min(end, Math.max(firstBytes, memory.length * 2, needed)));
      memory.copy(grown, 0, 0, filled);
      memory = grown;
    }
    memory.set(piece, filled);
    filled = needed;
  };

  const admit = (announced: number): void => {
    if (admitted) return;
    if (announced > frameBytesOrdinary) {
      if (filled < openingBytes) return;
      const allowed = bytesAllowed(memory.toString('latin1', 0, openingBytes));
      if (announced > allowed) throw overlong(announced, allowed);
    }
    admitted = true;
  };

  const read = (piece: Uint8Array): readonly string[] => {
    const texts: string[] = [];
    let at = 0;
    while (at < piece.length) {
      const end = length ?? lengthBytes;
      const part = piece.subarray(at, at + (end - filled));
      keep(part, end);
      at += part.length;
      if (length === undefined) {
        if (filled < lengthBytes) break;
        length = memory.readUInt32BE(0);
        if (length === 0) throw new CustodyError('signer/protocol', 'A frame of 0 bytes came: a frame has a text.');
        filled = 0;
      } else {
        admit(length);
        if (filled < length) continue;
        texts.push(textOf(memory.subarray(0, length)));
        [memory, filled, length, admitted] = [Buffer.alloc(0), 0, undefined, false];
      }
    }
    return texts;
  };

  return { read, heldBytes: () => memory.length };
}

/** The reader stops at the ordinary length on its own: what is longer must have said what it is. */
function overlong(announced: number, allowed: number): CustodyError {
  return new CustodyError(
    'signer/protocol',
    `A frame of ${announced} bytes came where at most ${allowed} are allowed: the connection is closed.`,
    { details: { announced, allowed } },
  );
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new CustodyError('signer/protocol', 'A frame came that is not UTF-8: the connection is closed.', { cause });
  }
}
