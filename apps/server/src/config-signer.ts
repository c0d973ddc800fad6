import { isAbsolute, join } from 'node:path';
import type { ChainId } from '@bulkhead/domain';
import { type Section, vaultSignersOfDevelopment } from './config-schema.ts';

/** Files in PEM form: who may vouch for the signer, and what this server shows of itself. */
export type SignerTls = {
  readonly authorityFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** SHA-256 of the public key of each certificate that the signer may show, hex. */
  readonly signerKeys: readonly string[];
};

/** A signer that somebody else runs. Nothing that it says counts unless one of the identities has signed it. */
export type ExternalSigner = {
  /** `unix:/path` or `tls://host:port`. */
  readonly endpoint: string;
  readonly tls: SignerTls | undefined;
  /** Public Ed25519 keys, hex. */
  readonly identities: readonly string[];
};

/**
 * Who holds the keys. `development`: processes that the server starts on folders of its own; `external`: those that somebody else runs.
 * The first holds the keys of the wallets; beside it may be others that have, like the first one, a key of the signer set of the vaults.
 */
export type SignerConfiguration =
  | {
      readonly kind: 'development';
      readonly directory: string;
      readonly peopleDirectory: string;
      /** How many others are started. */
      readonly vaultSignersCount: number;
      /** Where the tokens of a first start come from; where there is no such file, keys are in software. */
      readonly softhsmLibrary: string;
    }
  | (ExternalSigner & {
      readonly kind: 'external';
      /** 32 hex digits: of the first and of the others. */
      readonly deployment: string;
      readonly vaultSigners: readonly ExternalSigner[];
    });

type Problem = { readonly place: string; readonly sentence: string };

type SignerOrder = {
  readonly folder: string;
  readonly dataDirectory: string;
  readonly softhsmLibrary: string;
  readonly file: {
    readonly signer: Section<'signer'> | undefined;
    readonly vaultSigners: Section<'vaultSigners'> | undefined;
    readonly vaultSignersCount: number | undefined;
  };
  readonly chains: readonly { readonly id: ChainId; readonly development: boolean }[];
};

export function signerOf(order: SignerOrder, problems: Problem[]): SignerConfiguration {
  const { folder, file } = order;
  if (file.signer === undefined) return developmentOf(order, problems);
  if (file.vaultSignersCount !== undefined) {
    const sentence =
      'Only signers for development are started by themselves. List the address and the identities of each other signer.';
    problems.push({ place: '/vaultSigners', sentence });
  }
  const read = (section: SignerSection, place: string): ExternalSigner =>
    externalOf({ folder, section, place }, problems);
  const { deployment } = file.signer;
  const first = read(file.signer, '/signer');
  const vaultSigners = (file.vaultSigners ?? []).map((section, at) => read(section, `/vaultSigners/${at}`));
  assertApart([first, ...vaultSigners], problems);
  return { kind: 'external', ...first, deployment, vaultSigners };
}

function developmentOf(order: SignerOrder, problems: Problem[]): SignerConfiguration {
  const { file, chains, dataDirectory, softhsmLibrary } = order;
  const real = chains.find((chain) => !chain.development);
  if (real !== undefined) {
    const sentence = `${real.id} is no development chain, and the signer that starts by itself is for development alone. Name the signer of this deployment, or mark the chain as development if its coins are worth nothing.`;
    problems.push({ place: '/signer', sentence });
  }
  if (file.vaultSigners !== undefined && file.vaultSigners.length > 0) {
    const sentence =
      'Beside the signer for development the others are started by themselves: give their number, or name the signer of this deployment in /signer.';
    problems.push({ place: '/vaultSigners', sentence });
  }
  return {
    kind: 'development',
    directory: join(dataDirectory, 'signer'),
    peopleDirectory: join(dataDirectory, 'people'),
    vaultSignersCount: file.vaultSignersCount ?? vaultSignersOfDevelopment.parse(undefined),
    softhsmLibrary,
  };
}

type SignerSection = Section<'vaultSigners'>[number];

function externalOf(
  { folder, section, place }: { readonly folder: string; readonly section: SignerSection; readonly place: string },
  problems: Problem[],
): ExternalSigner {
  const { address, identities, tls } = section;
  if (address.startsWith('tls:') === (tls === undefined)) {
    const sentence =
      tls === undefined
        ? `A signer behind tls:// needs ${place}/tls: the authority that vouches for it, and the certificate and key of this server.`
        : `A socket of this machine has no certificates. Remove ${place}/tls, or give tls://host:port.`;
    problems.push({ place: `${place}/tls`, sentence });
  }
  const absolute = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  const files = tls && {
    authorityFile: absolute(tls.authorityFile),
    certificateFile: absolute(tls.certificateFile),
    keyFile: absolute(tls.keyFile),
    signerKeys: tls.signerKeys,
  };
  return { endpoint: address, tls: files, identities };
}

/** One process that is listed twice would count as two, and k of n would be fewer people than it says. */
function assertApart(signers: readonly ExternalSigner[], problems: Problem[]): void {
  for (const [at, signer] of signers.entries()) {
    const before = signers.slice(0, at);
    const place = `/vaultSigners/${at - 1}`;
    if (before.some(({ endpoint }) => endpoint === signer.endpoint)) {
      const sentence = `${signer.endpoint} is listed twice, and one signer counts once. Remove it here, or correct the address.`;
      problems.push({ place: `${place}/address`, sentence });
    }
    const shared = signer.identities.find((identity) => before.some(({ identities }) => identities.includes(identity)));
    if (shared !== undefined) {
      const sentence = `${shared} is the identity of another signer in this file, too, and one signer counts once. Give each signer its own.`;
      problems.push({ place: `${place}/identities`, sentence });
    }
  }
}
