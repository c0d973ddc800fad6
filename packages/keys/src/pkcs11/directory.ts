import { CustodyError, invariant } from '@bulkhead/domain';
import { cka, ckr, cko, ulongBytes } from './cryptoki.ts';
import { type Attribute, writeTemplate } from './frame.ts';
import { Refusal } from './refusal.ts';
import type { Desk } from './slot.ts';

/** Bytes of a label, which are printable ASCII. */
export const labelBytesMax: number = 128;

export type ObjectClass = (typeof cko)[keyof typeof cko];

/**
 * Where the objects of a token are. Handles are kept for as long as the login they were found in; labels that were found once are
 * remembered longer, because a token whose folder or link is gone answers "no such object" instead of "no such token".
 */
export type Directory = {
  /** Throws `hsm/key-missing`. */
  need(desk: Desk, kind: ObjectClass, label: string): Promise<bigint>;
  find(desk: Desk, kind: ObjectClass, label: string): Promise<bigint | undefined>;
  /** Asks the token even where the handle is known. */
  look(desk: Desk, kind: ObjectClass, label: string): Promise<bigint | undefined>;
  /** After an object was destroyed. */
  forget(label: string): void;
};

export function createDirectory(tokenLabel: string): Directory {
  let epoch = -1;
  const handles = new Map<string, bigint>();
  /** Objects that were there, and in which generation of the library they were found last. */
  const known = new Map<string, { readonly kind: ObjectClass; readonly label: string; generation: number }>();

  const look = async (desk: Desk, kind: ObjectClass, label: string): Promise<bigint | undefined> => {
    assertLabel(label);
    const name = `${kind}/${label}`;
    const handle = await search(desk, kind, label);
    if (handle !== undefined) {
      handles.set(name, handle);
      known.set(name, { kind, label, generation: desk.generation });
      return handle;
    }
    handles.delete(name);
    const before = known.get(name);
    // It was there in this generation: more likely the token is away than the object.
    if (before?.generation === desk.generation) throw new Refusal('C_FindObjects', ckr.TOKEN_NOT_PRESENT);
    // The library was made anew, the token is there, the object is not: somebody removed it.
    known.delete(name);
    await assertPresent(desk, known);
    return undefined;
  };
  const find = async (desk: Desk, kind: ObjectClass, label: string): Promise<bigint | undefined> => {
    if (desk.epoch > epoch) {
      epoch = desk.epoch;
      handles.clear();
    }
    const kept = desk.epoch === epoch ? handles.get(`${kind}/${label}`) : undefined;
    return kept ?? (await look(desk, kind, label));
  };
  return {
    look,
    find,
    async need(desk, kind, label) {
      const handle = await find(desk, kind, label);
      if (handle !== undefined) return handle;
      throw new CustodyError(
        'hsm/key-missing',
        `The token "${tokenLabel}" has no object with the label "${label}" of the class that is needed. Check the label, and whether this is the token it was made in.`,
        { details: { token: tokenLabel, label } },
      );
    },
    forget(label) {
      for (const kind of Object.values(cko)) {
        handles.delete(`${kind}/${label}`);
        known.delete(`${kind}/${label}`);
      }
    },
  };
}

/** "No such object" is believed only while something else that must be there is found. */
async function assertPresent(
  desk: Desk,
  known: ReadonlyMap<string, { readonly kind: ObjectClass; readonly label: string; readonly generation: number }>,
): Promise<void> {
  for (const { kind, label, generation } of known.values()) {
    if (generation !== desk.generation) continue;
    if ((await search(desk, kind, label)) === undefined) throw new Refusal('C_FindObjects', ckr.TOKEN_NOT_PRESENT);
    return;
  }
}

async function search(desk: Desk, kind: ObjectClass, label: string): Promise<bigint | undefined> {
  const found = await matching(desk, [
    [cka.CLASS, kind],
    [cka.TOKEN, true],
    // The label of a data object may hold its content: see `data-object.ts`.
    [kind === cko.DATA ? cka.APPLICATION : cka.LABEL, Buffer.from(label)],
  ]);
  if (found.length < 2) return found[0];
  throw new CustodyError(
    'hsm/refused',
    `More than one object of the token has the label "${label}", and which of them is meant cannot be told. Somebody added one: find out who, and remove it.`,
    { details: { label } },
  );
}

/** At most two handles: more than one is already too many. */
async function matching({ session }: Desk, attributes: readonly Attribute[]): Promise<readonly bigint[]> {
  const template = writeTemplate(session.frame, attributes);
  const handles = session.frame.reserve(2 * ulongBytes);
  const count = session.frame.reserve(ulongBytes);
  await session.call('C_FindObjectsInit', [template.address, template.count]);
  await session.call('C_FindObjects', [handles.address, 2n, count.address]);
  await session.call('C_FindObjectsFinal', []);
  const length = Number(count.bytes.readBigUInt64LE());
  return Array.from({ length }, (_, index) => handles.bytes.readBigUInt64LE(index * ulongBytes));
}

function assertLabel(label: string): void {
  invariant(
    label.length > 0 && label.length <= labelBytesMax && /^[\x20-\x7e]+$/u.test(label),
    `A label in a token has 1 to ${labelBytesMax} printable ASCII characters.`,
    { label },
  );
}
