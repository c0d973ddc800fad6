import balanceReaderJson from '../artifacts/BalanceReader.json' with { type: 'json' };
import bombJson from '../artifacts/Bomb.json' with { type: 'json' };
import callbackTokenJson from '../artifacts/CallbackToken.json' with { type: 'json' };
import clientVaultJson from '../artifacts/ClientVault.json' with { type: 'json' };
import demoTokenJson from '../artifacts/DemoToken.json' with { type: 'json' };
import depositForwarderJson from '../artifacts/DepositForwarder.json' with { type: 'json' };
import doorJson from '../artifacts/Door.json' with { type: 'json' };
import falseTokenJson from '../artifacts/FalseToken.json' with { type: 'json' };
import feeTokenJson from '../artifacts/FeeToken.json' with { type: 'json' };
import forgedTokenJson from '../artifacts/ForgedToken.json' with { type: 'json' };
import payerJson from '../artifacts/Payer.json' with { type: 'json' };
import proofRegistryJson from '../artifacts/ProofRegistry.json' with { type: 'json' };
import reentrantRecipientJson from '../artifacts/ReentrantRecipient.json' with { type: 'json' };
import refuserJson from '../artifacts/Refuser.json' with { type: 'json' };
import reserveFeedJson from '../artifacts/ReserveFeed.json' with { type: 'json' };
import signerSetJson from '../artifacts/SignerSet.json' with { type: 'json' };
import silentTokenJson from '../artifacts/SilentToken.json' with { type: 'json' };
import stoppableTokenJson from '../artifacts/StoppableToken.json' with { type: 'json' };
import sweepDelegateJson from '../artifacts/SweepDelegate.json' with { type: 'json' };
import vaultFactoryJson from '../artifacts/VaultFactory.json' with { type: 'json' };
import { type Artifact, parseArtifact } from './artifact.ts';

export type { AbiEntry, AbiParameter, Artifact, StateMutability } from './artifact.ts';

/** Reads many balances in one `eth_call` without being deployed; its source says how it answers. */
export const balanceReader: Artifact = parseArtifact(balanceReaderJson);

/** Forces native coin upon an address from its constructor. */
export const bomb: Artifact = parseArtifact(bombJson);

/** ERC-20 that calls hooks of sender and recipient. */
export const callbackToken: Artifact = parseArtifact(callbackTokenJson);

/** The implementation of vaults; the factory deploys it, and vaults are called through its interface. */
export const clientVault: Artifact = parseArtifact(clientVaultJson);

/** The well-behaved token of demonstrations: six decimals, minted by whoever deployed it. */
export const demoToken: Artifact = parseArtifact(demoTokenJson);

/** The implementation of deposit forwarders; the factory deploys it. */
export const depositForwarder: Artifact = parseArtifact(depositForwarderJson);

/** Accepts coin until it is shut. */
export const door: Artifact = parseArtifact(doorJson);

/** Returns false where others revert. */
export const falseToken: Artifact = parseArtifact(falseTokenJson);

/** Takes one percent of each transfer without saying so in the event. */
export const feeToken: Artifact = parseArtifact(feeTokenJson);

/** Emits transfers that did not happen. */
export const forgedToken: Artifact = parseArtifact(forgedTokenJson);

/** Pays native coin by inner calls, some of which are reverted. */
export const payer: Artifact = parseArtifact(payerJson);

/** Where one custodian pins its proofs of reserves. */
export const proofRegistry: Artifact = parseArtifact(proofRegistryJson);

/** Sends half of what arrives on, from inside the transfer. */
export const reentrantRecipient: Artifact = parseArtifact(reentrantRecipientJson);

/** Reverts when it is sent coin. */
export const refuser: Artifact = parseArtifact(refuserJson);

/** What contracts that read feeds see of one asset in the registry. */
export const reserveFeed: Artifact = parseArtifact(reserveFeedJson);

/** The signers of one custodian; constructor arguments are members, threshold and change delay. */
export const signerSet: Artifact = parseArtifact(signerSetJson);

/** Returns nothing from `transfer`. */
export const silentToken: Artifact = parseArtifact(silentTokenJson);

/** Reverts transfers while stopped. */
export const stoppableToken: Artifact = parseArtifact(stoppableTokenJson);

/** What a legacy deposit address delegates to (EIP-7702); the constructor argument is the wallet that gets everything. */
export const sweepDelegate: Artifact = parseArtifact(sweepDelegateJson);

/** Deploys vaults and forwarders where their configuration says; takes no arguments. */
export const vaultFactory: Artifact = parseArtifact(vaultFactoryJson);
