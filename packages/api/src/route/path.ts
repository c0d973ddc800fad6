import { z } from 'zod';
import { chainInput, compartmentParameter, id } from '../resource/wire.ts';
import { pageQuery } from '../resource/page.ts';

/** Path parameters and empty parts that routes share. */
export const nothing = z.strictObject({});
export const pageOnly = z.strictObject(pageQuery);
export const clientPath = z.strictObject({ clientId: id('client') });
export const compartmentPath = z.strictObject({ compartment: compartmentParameter });
export const depositPath = z.strictObject({ depositId: id('deposit') });
export const withdrawalPath = z.strictObject({ withdrawalId: id('withdrawal') });
export const sweepPath = z.strictObject({ sweepId: id('sweep') });
export const feePaymentPath = z.strictObject({ feePaymentId: id('feePayment') });
export const reconciliationPath = z.strictObject({ reconciliationId: id('reconciliation') });
export const breakPath = z.strictObject({ breakId: id('break') });
export const dispatchPath = z.strictObject({ dispatchId: id('dispatch') });
export const chainPath = z.strictObject({ chain: chainInput });
export const segregationMovePath = z.strictObject({ segregationMoveId: id('segregationMove') });
export const vaultPath = z.strictObject({ vaultId: id('vault') });
export const vaultRestrictionPath = z.strictObject({ vaultRestrictionId: id('vaultRestriction') });
export const keyRecoveryPath = z.strictObject({ keyRecoveryId: id('keyRecovery') });
export const signerSetChangePath = z.strictObject({ signerSetChangeId: id('signerSetChange') });
export const walletPath = z.strictObject({ walletId: id('wallet') });
export const registryChangePath = z.strictObject({ registryChangeId: id('registryChange') });
