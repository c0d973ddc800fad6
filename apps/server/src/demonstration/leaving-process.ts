import { readFileSync } from 'node:fs';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { nobleHashes } from '@bulkhead/authority';
import { type Address, type ChainId, invariant, parseAddress, parseChainId } from '@bulkhead/domain';
import {
  answerOf,
  callData,
  factoryCalls,
  nativeToken,
  parseVaultConfig,
  typedDigest,
  vaultCalls,
  type VaultConfig,
  vaultDomain,
  vaultForms,
  vaultQuestions,
} from '@bulkhead/vaults';
import { z } from 'zod';
import { accountInHand } from './client-keys.ts';
import { leavingOrderForm } from './leaving-order.ts';
import { Outside } from './outside.ts';

const statementHeader = 'bulkhead-statement-v1\n';

/**
 * A client of the demonstration who leaves while nobody of the custodian is there: with the certificate, the exit key and a node, and
 * nothing else. Everything that is done here is looked for on the chain first, so that it can be done again after an interruption.
 */
const { certificateFile, exitKeyFile, rpc, tokens } = leavingOrderForm.parse(JSON.parse(await textOf(process.stdin)));
const certificate = readCertificate(certificateFile);
const { vault, config, chain, factory } = certificate;
const outside = new Outside(rpc);
const exitKey = accountInHand(exitKeyFile);

if (!(await outside.hasCode(vault))) {
  // An address that was never used is an agreement all the same: anybody can make it real.
  await outside.relay(factory, callData(nobleHashes, factoryCalls.create, { config }));
}
if ((await exitReadyAt()) === 0n) {
  const message = { nonce: 0n, deadline: (await outside.time()) + 3_600n };
  const digest = typedDigest(nobleHashes, vaultDomain(chain, vault), { form: vaultForms.exitRequest, message });
  const signature = await exitKey.sign(digest);
  await outside.relay(vault, callData(nobleHashes, vaultCalls.requestExit, { config, message, signature }));
}
const readyAt = await exitReadyAt();
while ((await outside.time()) < readyAt) {
  await pause(500);
  await outside.mine(1);
}
const taken: Record<string, string> = {};
for (const token of [nativeToken, ...tokens.map((text) => parseAddress(text))]) {
  const before = await outside.held(vault, token);
  if (before === 0n) continue;
  await outside.relay(vault, callData(nobleHashes, vaultCalls.exit, { config, token }));
  taken[token] = String(before);
}
process.stdout.write(JSON.stringify({ vault, to: config.exitDestination, taken }));

async function exitReadyAt(): Promise<bigint> {
  const answer = await outside.ask(vault, callData(nobleHashes, vaultQuestions.gate, {}));
  return answerOf(vaultQuestions.gate, answer).exitReadyAt;
}

type Certificate = {
  readonly vault: Address;
  readonly chain: ChainId;
  readonly factory: Address;
  readonly config: VaultConfig;
};

/** Of the statements of several signers, which say the same, the first. */
function readCertificate(path: string): Certificate {
  const [first] = z.array(z.object({ statement: z.string() })).parse(JSON.parse(readFileSync(path, 'utf8')));
  invariant(first?.statement.startsWith(statementHeader) === true, 'The file holds no statement.');
  const fields = z
    .object({ address: z.string(), chain: z.string(), factory: z.string(), config: z.unknown() })
    .parse(JSON.parse(first.statement.slice(statementHeader.length)));
  return {
    vault: parseAddress(fields.address),
    chain: parseChainId(fields.chain),
    factory: parseAddress(fields.factory),
    config: parseVaultConfig(fields.config),
  };
}
