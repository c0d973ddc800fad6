import { invariant } from '@bulkhead/domain';
import { cka, ckr, cko, ulongBytes } from './cryptoki.ts';
import type { Directory } from './directory.ts';
import { reserveAttributes, writeTemplate } from './frame.ts';
import { accept } from './refusal.ts';
import type { Desk } from './slot.ts';

/** Longest content of a data object, in bytes. Objects are for heads of logs; modules have little room. */
export const dataBytesMax: number = 512;
/** Room for the content written as text. */
const labelBytesMax = 1_024;

/** Tokens that have refused to change a value once. They are not asked again before each write. */
const labelled = new WeakSet<Directory>();

/**
 * A private data object, found by its CKA_APPLICATION. The content is its CKA_VALUE. Some modules, SoftHSM among them, let that be
 * written only once, and to destroy and create an object costs them ten times as much as to change one; there the content goes into
 * the label, which every module lets change: `=` and base64url.
 */
export async function readDataObject(desk: Desk, directory: Directory, name: string): Promise<Uint8Array | undefined> {
  const handle = await directory.find(desk, cko.DATA, name);
  if (handle === undefined) return undefined;
  const read = reserveAttributes(desk.session.frame, [
    [cka.LABEL, labelBytesMax],
    [cka.VALUE, dataBytesMax],
  ]);
  await desk.session.call('C_GetAttributeValue', [handle, read.address, read.count]);
  const label = read.read(0)?.toString('latin1') ?? '';
  return label.startsWith('=') ? Buffer.from(label.slice(1), 'base64url') : (read.read(1) ?? new Uint8Array());
}

/** Makes the object where there is none. A module may lose the content when power fails within the write. */
export async function writeDataObject(
  desk: Desk,
  directory: Directory,
  data: { readonly label: string; readonly bytes: Uint8Array },
): Promise<void> {
  const { label: name, bytes } = data;
  invariant(bytes.length <= dataBytesMax, `A data object holds up to ${dataBytesMax} bytes, not ${bytes.length}.`);
  const { frame, call, ask } = desk.session;
  const handle = await directory.find(desk, cko.DATA, name);
  if (handle !== undefined) {
    if (!labelled.has(directory)) {
      const value = writeTemplate(frame, [[cka.VALUE, bytes]]);
      const result = await ask('C_SetAttributeValue', [handle, value.address, value.count]);
      if (result !== ckr.ATTRIBUTE_READ_ONLY && result !== ckr.ACTION_PROHIBITED) {
        accept('C_SetAttributeValue', result);
        return;
      }
      labelled.add(directory);
    }
    const label = writeTemplate(frame, [[cka.LABEL, Buffer.from(`=${Buffer.from(bytes).toString('base64url')}`)]]);
    await call('C_SetAttributeValue', [handle, label.address, label.count]);
    return;
  }
  const template = writeTemplate(frame, [
    [cka.CLASS, cko.DATA],
    [cka.TOKEN, true],
    [cka.PRIVATE, true],
    [cka.MODIFIABLE, true],
    [cka.APPLICATION, Buffer.from(name)],
    [cka.LABEL, Buffer.from(name)],
    [cka.VALUE, bytes],
  ]);
  await call('C_CreateObject', [template.address, template.count, frame.reserve(ulongBytes).address]);
  await directory.need(desk, cko.DATA, name);
}
