import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type BalancePlace,
  certificatesFile,
  type CompartmentWallets,
  manifestDigest,
  manifestName,
  manifestText,
  type ProofFile,
  type ReserveHeader,
  type SignedCertificate,
  type SignedStatements,
  statementsFile,
  walletsFile,
} from '@bulkhead/proofs';
import type { WalletEvidence } from './evidence.ts';
import { writeWhole } from './line-file.ts';
import type { CompartmentReading } from './snapshot.ts';

/** Everybody may read what is shown. */
const shownMode = 0o644;

/** Files of an epoch on their way: written aside, each with its digest, and put in their place together. */
export class ShownFiles {
  readonly #folder: string;
  readonly #digests = new Map<ProofFile, Uint8Array>();

  /** What an earlier run left aside is thrown away: it was never whole. */
  constructor(folder: string) {
    this.#folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }

  /** Writes a file part by part, and answers where it is. */
  write(name: ProofFile, parts: Iterable<Uint8Array>): string {
    const digest = createHash('sha256');
    const path = join(this.#folder, name);
    writeFile(path, parts, (part) => digest.update(part));
    this.#digests.set(name, Uint8Array.from(digest.digest()));
    return path;
  }

  writeWallets(
    header: ReserveHeader,
    of: {
      readonly balances: BalancePlace;
      readonly rows: readonly CompartmentReading[];
      readonly evidence: ReadonlyMap<number, WalletEvidence>;
    },
  ): void {
    const compartments = of.rows.map(({ compartment }): CompartmentWallets => {
      const { wallets } = of.evidence.get(compartment) ?? { wallets: [] };
      return { compartment, wallets };
    });
    const { balances } = of;
    this.write('wallets.bin', walletsFile({ header, balances, count: compartments.length, compartments }));
  }

  writeCertificates(certificates: readonly SignedCertificate[]): void {
    if (certificates.length > 0) this.write('certificates.bin', [certificatesFile(certificates)]);
  }

  writeStatements(signed: SignedStatements): void {
    this.write('statements.bin', [statementsFile(signed)]);
  }

  /**
   * Writes the manifest and puts the folder where it is shown. Nothing is shown before everything is on the disk; another epoch of the same
   * number can only be one that was abandoned, and makes room.
   *
   * @returns the digest of the manifest
   */
  end(context: Uint8Array, shown: string): Uint8Array {
    const manifest = { context, files: this.#digests };
    writeFile(join(this.#folder, manifestName), [Buffer.from(manifestText(manifest))], () => undefined);
    syncFolder(this.#folder);
    mkdirSync(dirname(shown), { recursive: true });
    rmSync(shown, { recursive: true, force: true });
    renameSync(this.#folder, shown);
    syncFolder(dirname(shown));
    return manifestDigest(manifest);
  }
}

function writeFile(path: string, parts: Iterable<Uint8Array>, seen: (part: Uint8Array) => unknown): void {
  const file = openSync(path, 'wx', shownMode);
  try {
    for (const part of parts) {
      seen(part);
      writeWhole(file, part, undefined);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
