import { generateKeyPairSync, sign } from 'node:crypto';
import { statementText } from '@bulkhead/authority';
import {
  type Address,
  type AssetId,
  type Compartment,
  parseAddress,
  parseAssetId,
  parseCompartment,
} from '@bulkhead/domain';
import {
  type BalancePlace,
  balanceStatement,
  certificateDigest,
  certificatesFile,
  type Claim,
  type CompartmentWallets,
  confidentialLeaves,
  confidentialPackage,
  confidentialSegregation,
  confidentialSummary,
  contextOf,
  epochSecrets,
  fastBlockHasher,
  fastGroup,
  fileDigest,
  type Group,
  leafTasks,
  makeCommitmentTree,
  makeConfidentialBook,
  makePlainBook,
  makeStatementTree,
  makeSumTree,
  type Manifest,
  manifestDigest,
  manifestText,
  type OwnClaim,
  plainPackage,
  plainSegregation,
  proveTask,
  type ProofFile,
  type ReserveHeader,
  type SignedCertificate,
  solvencyTasks,
  statementsFile,
  type Tier,
  type Wallet,
  walletsFile,
} from '@bulkhead/proofs';
import { bytesOf, forwarderAddress, forwarderSalt, hexOf, vaultConfigCodec } from '@bulkhead/vaults';
import { accountKey, hashes, mint, termsOf } from '@bulkhead/vaults/testing';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { hashTypedData } from 'viem';
import { claimOf, type ReserveWorld } from './reserve-world.ts';

/** The identity of the one signer that certifies addresses in this world. */
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
export const identity: string = bytesToHex(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
const deployment = '0123456789abcdef'.repeat(2);

const poolKey = accountKey(0x71);
const pool: Compartment = parseCompartment(10_000);
export const gil: Compartment = parseCompartment(100_000);

/** Two clients in a pool, and one alone in a vault with a forwarder. */
const claimsOf: readonly {
  readonly compartment: typeof pool;
  readonly claims: readonly Claim[];
  readonly held: bigint;
}[] = [
  { compartment: pool, claims: [claimOf('ada', 70n), claimOf('bob', 30n)], held: 150n },
  {
    compartment: gil,
    claims: [claimOf('gil', 40n), { kind: 'fee-payable', holder: utf8ToBytes('house'), amount: 2n }],
    held: 45n,
  },
];

/** Everything about one epoch that somebody may be given. */
export type WholeFiles = {
  readonly header: ReserveHeader;
  readonly manifest: Uint8Array;
  readonly files: ReadonlyMap<ProofFile, Uint8Array>;
  readonly packages: ReadonlyMap<string, Uint8Array>;
  readonly statements: ReadonlyMap<string, Uint8Array>;
  readonly segregation: Uint8Array;
  /** Wallets as the file has them, for whoever wants to write another. */
  readonly wallets: readonly CompartmentWallets[];
};

/** What is made otherwise than it should be, for tests that must notice it. */
export type Deviation = {
  readonly balances?: BalancePlace;
  readonly wallets?: (wallets: readonly CompartmentWallets[]) => readonly CompartmentWallets[];
  /** What statements state: the truth where nothing is said. */
  readonly stated?: (claim: OwnClaim) => bigint;
  /** What a client is counted with. */
  readonly counted?: (claim: Claim) => bigint;
  /** What the registry is told, beside the rows. */
  readonly reported?: bigint;
  readonly statementSigners?: (digest: Uint8Array) => Promise<readonly Uint8Array[]>;
  readonly held?: bigint;
};

export type Wish = Deviation & { readonly epoch: bigint; readonly tier: Tier; readonly token?: boolean };

/** Coins, wallets, claims, files, commitment and proof of one epoch: all that the custodian of this world does. */
export async function makeWholeProof(world: ReserveWorld, wish: Wish): Promise<WholeFiles> {
  const { chain } = world;
  const asset = wish.token === true ? parseAssetId(`eip155:31337/erc20:${chain.token}`) : undefined;
  const places = placesOf(world);
  await fund(world, places, asset);
  const header = await world.header({ epoch: wish.epoch, tier: wish.tier, ...(asset === undefined ? {} : { asset }) });
  const certificates = certificatesOf(places);
  const honest = await walletsOf(header, places, certificates);
  const wallets = wish.wallets?.(honest) ?? honest;
  const made = makeBooks(header, wish, { wallets: honest, certificates });
  const signed = await statementsOf(world, header, wish);
  const declared = wish.balances ?? (asset === undefined ? { form: 'account' } : { form: 'key-slot', slot: 0n });
  const list = walletsFile({ header, balances: declared, count: wallets.length, compartments: wallets });
  const files = new Map<ProofFile, Uint8Array>([
    ...made.publication,
    ['wallets.bin', concatBytes(...list)],
    ['certificates.bin', certificatesFile([...certificates.values()])],
    ['statements.bin', signed.file],
  ]);
  const manifest: Manifest = {
    context: contextOf(header),
    files: new Map([...files].map(([name, bytes]) => [name, fileDigest(bytes)])),
  };
  const total = wish.reported ?? claimsOf.reduce((sum, { held }) => sum + held, 0n) + (wish.held ?? 0n);
  await world.pin(header, made.record, total);
  await world.prove({ header }, manifestDigest(manifest));
  const text = utf8ToBytes(manifestText(manifest));
  return {
    header,
    manifest: text,
    files,
    packages: made.packages,
    statements: signed.byName,
    segregation: made.segregation,
    wallets,
  };
}

type Places = ReturnType<typeof placesOf>;

function placesOf({ chain }: ReserveWorld): {
  readonly key: Address;
  readonly vault: Address;
  readonly config: Uint8Array;
  readonly forwarder: Address;
  readonly salt: Uint8Array;
  readonly build: Pick<typeof chain, 'factory' | 'vaultImplementation' | 'forwarderImplementation'>;
} {
  const { vault, config } = termsOf(chain, 'individual', 7);
  const salt = forwarderSalt(3n);
  const forwarder = forwarderAddress(hashes, chain, { vault, salt });
  const encoded = vaultConfigCodec.encode(config);
  return { key: poolKey.address, vault, config: encoded, forwarder, salt: bytesOf(salt), build: chain };
}

async function fund({ chain }: ReserveWorld, places: Places, asset: AssetId | undefined): Promise<void> {
  const amounts = [
    [places.key, 150n],
    [places.vault, 40n],
    [places.forwarder, 5n],
  ] as const;
  for (const [address, amount] of amounts) {
    if (asset === undefined) await chain.node.call('anvil_setBalance', address, `0x${amount.toString(16)}`);
    else await mint(chain, address, amount);
  }
}

function certificatesOf({ key, forwarder, vault, salt, build }: Places): ReadonlyMap<Address, SignedCertificate> {
  const { factory, forwarderImplementation } = build;
  const place = { deployment, chain: 'eip155:31337', issuedAt: '1790000000' };
  const texts: readonly (readonly [Address, string])[] = [
    [
      key,
      statementText('wallet-certificate', {
        deployment,
        compartment: String(pool),
        label: 'pool-1',
        address: key,
        residency: 'hsm',
      }),
    ],
    [
      forwarder,
      statementText('forwarder-certificate', {
        ...place,
        client: 'gil',
        compartment: String(gil),
        address: forwarder,
        vault,
        salt: hexOf(salt).slice(2),
        factory,
        forwarderImplementation,
      }),
    ],
  ];
  return new Map(
    texts.map(([address, statement]) => {
      const signature = Uint8Array.from(sign(null, utf8ToBytes(statement), privateKey));
      return [address, { statement, identity: bytesOf(`0x${identity}`), signature }];
    }),
  );
}

async function walletsOf(
  header: ReserveHeader,
  places: Places,
  certificates: ReadonlyMap<Address, SignedCertificate>,
): Promise<readonly CompartmentWallets[]> {
  const certified = (address: Address): Pick<Wallet, 'address' | 'certificate'> => {
    const found = certificates.get(address);
    return { address, certificate: found === undefined ? undefined : certificateDigest(found) };
  };
  const signature = bytesOf(await poolKey.sign(controlDigestOf(header, places.key)));
  const own: readonly Wallet[] = [
    { ...certified(places.vault), sort: 'vault', config: places.config },
    { ...certified(places.forwarder), sort: 'forwarder', vault: places.vault, salt: places.salt },
  ];
  return [
    { compartment: pool, wallets: [{ ...certified(places.key), sort: 'key', signature }] },
    { compartment: gil, wallets: own.toSorted((a, b) => (a.address < b.address ? -1 : 1)) },
  ];
}

/** What a wallet signs, hashed by another implementation. */
export function controlDigestOf(header: ReserveHeader, wallet: Address): Uint8Array {
  const types = {
    WalletControl: [
      { name: 'custodian', type: 'bytes32' },
      { name: 'context', type: 'bytes32' },
      { name: 'wallet', type: 'address' },
    ],
  } as const;
  const message = { custodian: hexOf(header.custodian), context: hexOf(contextOf(header)), wallet };
  const domain = { name: 'Bulkhead Wallet', version: '1', chainId: 31_337 };
  return bytesOf(hashTypedData({ domain, types, primaryType: 'WalletControl', message }));
}

type Made = {
  readonly record: Uint8Array;
  readonly publication: readonly (readonly [ProofFile, Uint8Array])[];
  readonly packages: ReadonlyMap<string, Uint8Array>;
  readonly segregation: Uint8Array;
};

type Certified = {
  readonly wallets: readonly CompartmentWallets[];
  readonly certificates: ReadonlyMap<Address, SignedCertificate>;
};

const nameOf = ({ holder }: Claim): string => new TextDecoder().decode(holder);

function makeBooks(header: ReserveHeader, wish: Wish, certified: Certified): Made {
  const context = contextOf(header);
  const secrets = epochSecrets(new Uint8Array(32).fill(9), context);
  const work = { header, context, hasher: fastBlockHasher(), secrets };
  const pools = claimsOf.map(({ compartment, claims, held }) => ({
    compartment,
    held: compartment === pool ? held + (wish.held ?? 0n) : held,
    claims: claims.map((claim) => ({ ...claim, amount: wish.counted?.(claim) ?? claim.amount })),
  }));
  const own = {
    claims: pools[1]?.claims ?? [],
    wallets: certified.wallets[1]?.wallets ?? [],
    certificates: [...certified.certificates.values()].slice(1),
  };
  const form = ({ compartment, claims }: (typeof pools)[number]): Parameters<typeof makeSumTree>[1] => ({
    compartment,
    claims,
    count: claims.length,
  });
  if (header.tier === 'plain') {
    const rows = pools.map((each) => ({ tree: makeSumTree(work, form(each)), reserves: each.held }));
    const book = makePlainBook(work, rows);
    const packages = pools.flatMap(({ claims }, row) =>
      claims.map(
        (claim, at) => [nameOf(claim), plainPackage(work, book, { tree: treeAt(rows, row), claim, at })] as const,
      ),
    );
    return {
      record: book.book.record,
      publication: [['publication.bin', book.publication]],
      packages: new Map(packages),
      segregation: plainSegregation(work, book, { tree: treeAt(rows, 1), ...own }),
    };
  }
  const group = sharedGroup();
  const hidden = { ...work, group };
  const rows = pools.map((each) => ({ tree: makeCommitmentTree(hidden, form(each)), reserves: each.held }));
  const book = makeConfidentialBook(hidden, rows);
  const prove = (tasks: Iterable<Parameters<typeof proveTask>[1]>): readonly Uint8Array[] =>
    Array.from(tasks, (task) => proveTask(group, task));
  const packages = pools.flatMap(({ claims }, row) =>
    claims.map(
      (claim, at) =>
        [nameOf(claim), confidentialPackage(hidden, book, { tree: treeAt(rows, row), claim, at })] as const,
    ),
  );
  return {
    record: book.book.record,
    publication: [
      ['summary.bin', confidentialSummary(hidden, book, prove(solvencyTasks(hidden, book)))],
      ['leaves.bin', confidentialLeaves(book, prove(leafTasks(hidden, book)))],
    ],
    packages: new Map(packages),
    segregation: confidentialSegregation(hidden, book, { tree: treeAt(rows, 1), ...own }),
  };
}

let kept: Group | undefined;

function sharedGroup(): Group {
  kept ??= fastGroup();
  return kept;
}

function treeAt<T>(rows: readonly { readonly tree: T }[], at: number): T {
  const row = rows[at];
  if (row === undefined) throw new RangeError(`There is no row ${at}.`);
  return row.tree;
}

type Stated = { readonly file: Uint8Array; readonly byName: ReadonlyMap<string, Uint8Array> };

async function statementsOf(world: ReserveWorld, header: ReserveHeader, wish: Wish): Promise<Stated> {
  const context = contextOf(header);
  const secrets = epochSecrets(new Uint8Array(32).fill(9), context);
  const work = { header, context, hasher: fastBlockHasher(), secrets };
  const claims = claimsOf.flatMap(({ compartment, claims: list }) =>
    list.map((claim): OwnClaim => ({ ...claim, compartment })),
  );
  const stated = claims.map((claim) => ({ ...claim, amount: wish.stated?.(claim) ?? claim.amount }));
  const tree = makeStatementTree(work, { claims: stated, count: stated.length });
  const digest = bytesOf(
    hashTypedData({
      domain: {
        name: 'Bulkhead Proof Registry',
        version: '1',
        chainId: 31_337,
        verifyingContract: hexOf(header.registry),
      },
      types: {
        BalanceStatements: [
          { name: 'context', type: 'bytes32' },
          { name: 'root', type: 'bytes32' },
          { name: 'count', type: 'uint64' },
        ],
      },
      primaryType: 'BalanceStatements',
      message: { context: hexOf(context), root: hexOf(tree.root), count: BigInt(tree.count) },
    }),
  );
  const signatures = await (wish.statementSigners ?? signersOf(world))(digest);
  const signed = { header, root: tree.root, count: tree.count, signatures };
  const byName = stated.map(
    (claim, at) => [nameOf(claim), balanceStatement(work, { signed, tree, claim, at })] as const,
  );
  return { file: statementsFile(signed), byName: new Map(byName) };
}

function signersOf({ chain }: ReserveWorld): (digest: Uint8Array) => Promise<readonly Uint8Array[]> {
  return async (digest) => {
    const joined = bytesOf(await chain.quorum(digest));
    return [joined.slice(0, 65), joined.slice(65)];
  };
}

/** Where this world's coins of the pool are. */
export const poolAddress: Address = parseAddress(poolKey.address);
