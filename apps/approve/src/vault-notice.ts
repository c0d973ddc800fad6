import {
  describeAmount,
  describeKey,
  describeSpan,
  type KnownAssets,
  likeness,
  type VaultItem,
} from '@bulkhead/authority';
import {
  type Address,
  type AssetId,
  checksumAddress,
  type Intent,
  isVaultMatter,
  membersOf,
  nativeAsset,
  tokenAsset,
} from '@bulkhead/domain';
import type { Notice } from './notice-shown.ts';

const day = 86_400n;

/** What is unusual about an intent for a set of signers, whatever the signer says of it. */
export function vaultIntentNotices(intent: Intent): readonly Notice[] {
  if (!isVaultMatter(intent)) return [];
  switch (intent.kind) {
    case 'vault-withdrawal':
      return authorisationNotices[intent.authorisation];
    case 'vault-key-recovery':
      return [
        {
          level: 'danger',
          title: `The ${intent.role} key of a client is replaced`,
          text: 'Whoever holds the new key decides where the assets may go. Have the client confirm the id of the new key by another way than the one it came by.',
        },
      ];
    case 'signer-set-change':
      return setNotices(membersOf(intent), intent.threshold);
    case 'vault-pause':
    case 'vault-limit-lowering':
    case 'vault-destination-removal':
      return [
        {
          level: 'information',
          title: 'It takes effect at once',
          text: 'What is taken away here comes back only with the key of the client, and after a delay; a pause ends by itself.',
        },
      ];
    case 'vault-fee':
    case 'vault-invalidation':
    case 'signer-set-heartbeat':
      return [];
  }
}

const authorisationNotices: Readonly<Record<'listed' | 'unlisted' | 'one-off', readonly Notice[]>> = {
  listed: [],
  unlisted: [
    {
      level: 'warning',
      title: 'The destination is none that the vault lists',
      text: 'It is paid out of the window for all others, which the clients of the pool share.',
    },
  ],
  'one-off': [
    {
      level: 'warning',
      title: 'A payment past every limit of the vault',
      text: "The client's own key signs it besides. Limits and destinations of the vault do not hold it; compare amount and destination with what the client wants.",
    },
  ],
};

function setNotices(members: readonly Address[], threshold: bigint): readonly Notice[] {
  const notices: Notice[] = [
    {
      level: 'danger',
      title: 'Other keys will sign for all vaults, on every chain',
      text: `Compare each of the ${members.length} members with the record of its ceremony. This cannot be taken back for one chain alone.`,
    },
  ];
  if (threshold === 1n) {
    notices.push({
      level: 'danger',
      title: 'One key would be enough',
      text: 'Whoever steals one key pays from every vault, to what its client agreed to.',
    });
  }
  if (threshold === BigInt(members.length) && members.length > 1) {
    notices.push({
      level: 'warning',
      title: 'Every key would be needed',
      text: 'If one is lost, no vault pays and the set cannot be changed: clients have their exit, and nothing else.',
    });
  }
  return notices;
}

/** Highest cap that a vault can hold, 104 bits: whoever sets it has no limit. */
const capMax = 2n ** 104n - 1n;

/** A fee above one percent in a year is worth a second look. */
const feeBpsUsualMax = 100n;

/** What is unusual about a configuration that somebody agrees to: the client, or whoever lists the vault. */
export function vaultTermsNotices(
  item: Pick<VaultItem, 'chain' | 'config' | 'policy'>,
  assets: KnownAssets,
): readonly Notice[] {
  const { config, policy, chain } = item;
  const notices: Notice[] = [];
  const say = (level: Notice['level'], title: string, text: string): void => void notices.push({ level, title, text });
  if (policy.destinations.length === 0) {
    say(
      'information',
      'The vault pays nobody from the start',
      'Each destination is added by the key of the client, or paid once with it.',
    );
  }
  for (const { token, cap } of [...policy.limits, ...policy.unlisted]) {
    if (cap !== capMax) continue;
    const asset = assetOf(chain, token);
    say('danger', 'A window without a limit', `As much of ${asset} as there is may leave in one window.`);
  }
  for (const { token, cap } of policy.unlisted) {
    const asset = assetOf(chain, token);
    say(
      'warning',
      'Some may leave to addresses that nobody listed',
      `Up to ${describeAmount(cap, asset, assets)} in ${describeSpan(config.windowSeconds)}.`,
    );
  }
  if (config.feeBpsYear > feeBpsUsualMax) {
    say('warning', 'A high fee', `${config.feeBpsYear} of 10,000 in a year may be taken without asking anybody.`);
  }
  if (config.changeDelay < 2n * day) {
    say(
      'warning',
      'New destinations count soon',
      `After ${describeSpan(config.changeDelay)}: so long there is to notice a stolen key.`,
    );
  }
  if (config.exitDelay > 30n * day) {
    say('warning', 'A long exit', `The client gets out alone only after ${describeSpan(config.exitDelay)}.`);
  }
  if (config.heartbeatPeriod > 180n * day) {
    say(
      'warning',
      'A long silence',
      `Without the exit key the vault opens only after ${describeSpan(config.heartbeatPeriod)} of silence.`,
    );
  }
  notices.push(...likeExit(item));
  say(
    'information',
    'Who decides',
    `${describeKey(config.clientKey)} agrees to destinations; ${describeKey(config.exitKey)} asks for the exit. Compare both with the client.`,
  );
  return notices;
}

function assetOf(chain: VaultItem['chain'], token: Address): AssetId {
  return /^0x0+$/u.test(token) ? nativeAsset(chain) : tokenAsset(chain, token);
}

/** Where an exit pays is compared once in a lifetime: an address that looks like one of the destinations was made to. */
function likeExit({ config, policy }: Pick<VaultItem, 'config' | 'policy'>): readonly Notice[] {
  const other = policy.destinations.find(
    (address) => address !== config.exitDestination && likeness(address) === likeness(config.exitDestination),
  );
  if (other === undefined) return [];
  return [
    {
      level: 'danger',
      title: 'The exit destination looks like another address of the vault',
      text: `${checksumAddress(config.exitDestination)} and ${checksumAddress(other)} are different addresses.`,
      compared: [config.exitDestination, other],
    },
  ];
}

/** Vaults of a list whose terms are shown at once; each line of all of them stands in the list. */
export const vaultNoticesMax = 12;

/** Notices about the vaults of a list: of one vault all, of many what is grave, each once with how many it concerns. */
export function vaultListNotices(items: readonly VaultItem[], assets: KnownAssets): readonly Notice[] {
  const [only, ...more] = items;
  if (only === undefined) return [];
  if (more.length === 0) return vaultTermsNotices(only, assets);
  const grave = items.flatMap((item) => vaultTermsNotices(item, assets)).filter(({ level }) => level !== 'information');
  const counts = new Map<string, { readonly notice: Notice; count: number }>();
  for (const notice of grave) {
    const known = counts.get(`${notice.title} ${notice.text}`);
    if (known === undefined) counts.set(`${notice.title} ${notice.text}`, { notice, count: 1 });
    else known.count += 1;
  }
  return [...counts.values()].slice(0, vaultNoticesMax).map(({ notice, count }) => ({
    ...notice,
    title: count === 1 ? notice.title : `${notice.title}, in ${count} vaults`,
  }));
}
