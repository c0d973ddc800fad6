/** Ids and values that the samples share. */
export const uuid = '01931d5c-6f3a-7cc3-98c4-dc0c0c07398f';

export const clientId = `cl_${uuid}`;
export const walletId = `wal_${uuid}`;
export const depositId = `dep_${uuid}`;
export const withdrawalId = `wd_${uuid}`;
export const dispatchId = `dsp_${uuid}`;
export const breakId = `brk_${uuid}`;
export const reconciliationId = `rec_${uuid}`;
export const chain = 'eip155:31337';
export const coin = `${chain}/slip44:60`;
/** The first test address of EIP-55. */
export const address = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';
export const time = '2026-01-31T09:30:00.000Z';

export const hash = `0x${'ab'.repeat(32)}`;
export const block = { number: '100', hash };
export const digest = 'cd'.repeat(32);
