/** The steps of every ceremony, in their order. */
export const stepIds = [
  'plan',
  'program',
  'slots',
  'entropy',
  'seal',
  'identity',
  'shares',
  'certificates',
  'registry',
  'drill',
  'bundle',
] as const;

export type StepId = (typeof stepIds)[number];

/** What people read before each step. A plan carries its own copy, so that it can be read and judged long before. */
export const stepTexts: Readonly<Record<StepId, string>> = {
  plan: 'The last eight digits of the SHA-256 of the plan are typed from the paper on which they were written down when the plan was made. The witnesses compare paper and screen.',
  program:
    'The program of the signer is emitted from the source on this machine, or was brought to it, and its SHA-256 is compared with the one in the plan.',
  slots:
    'Both tokens are opened. Each has the label in the plan, another serial number than the other, and holds no key and no head of an earlier signer.',
  entropy:
    'Each token gives 32 bytes of its own randomness; where the plan says so, throws of dice are typed. All are hashed together into the entropy of the seed, which is in locked memory only.',
  seal: 'Each token makes a key that cannot leave it. The entropy is sealed under both, and both envelopes are opened again and compared before the file is written.',
  identity:
    'Each token makes an identity key that cannot leave it. The witnesses write the public keys down: servers will be told to believe these and no others.',
  shares:
    'The entropy is split by SLIP-39. Each share is shown to its holder alone, who writes it on paper and types it back from the paper. Everybody else looks away. Then the entropy is wiped.',
  certificates:
    'The account keys of the compartments in the plan are derived from the sealed seed, and both identity keys certify them.',
  registry:
    'The first list of the registry opens the state of the signer: people, roles, quorums, chains, assets, wallets. Both tokens remember its first record.',
  drill: 'The seed is restored from each slot alone, and its fingerprint is compared.',
  bundle:
    'The record is closed. Both identity keys sign the bundle, which is then exported and can be verified anywhere.',
};
