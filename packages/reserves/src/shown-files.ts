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
import { privateMode, writeWhole } from './line-file.ts';
import type { CompartmentReading } from './snapshot.ts';

/** Everybody may read what is shown. */
const shownMode = 0o644;

/**
 * Files of an epoch on their way: written aside, each with its digest, and put in their place together. Certificates name clients: their
 * digest is shown, and they stay with what is private.
 */
export class ShownFiles {
  readonly #folder: string;
  readonly #kept: string;
  readonly #digests = new Map<ProofFile, Uint8Array>();

  /** What an earlier run left aside is thrown away: it was never whole. @param kept the private folder of the epoch */
  constructor(kept: string) {
    this.#kept = kept;
    this.#folder = join(kept, 'shown');
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder, { recursive: true });
  }

  /** Writes a file part by part, and answers where it is. */
  write(name: ProofFile, parts: Iterable<Uint8Array>): string {
    const path = join(this.#folder, name);
    this.#digests.set(name, writeFile(path, parts, shownMode));
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
    const name = 'certificates.bin';
    const path = join(this.#kept, name);
    rmSync(path, { force: true });
    if (certificates.length > 0) {
      this.#digests.set(name, writeFile(path, [certificatesFile(certificates)], privateMode));
    }
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
    writeFile(join(this.#folder, manifestName), [Buffer.from(manifestText(manifest))], shownMode);
    syncFolder(this.#folder);
    syncFolder(this.#kept);
    mkdirSync(dirname(shown), { recursive: true });
    rmSync(shown, { recursive: true, force: true });
    renameSync(this.#folder, shown);
    syncFolder(dirname(shown));
    return manifestDigest(manifest);
  }
}

/** @returns the SHA-256 of what was written */
function writeFile(path: string, parts: Iterable<Uint8Array>, mode: number): Uint8Array {
  const digest = createHash('sha256');
  const file = openSync(path, 'wx', mode);
  try {
    for (const part of parts) {
      digest.update(part);
      writeWhole(file, part, undefined);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return Uint8Array.from(digest.digest());
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
