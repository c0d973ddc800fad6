import { parseAddress } from '@bulkhead/domain';
import type { VaultBuild } from './order.ts';

/** The contracts of this release, where the standard factory puts them on every chain; a test works them out of the compiled code. */
export const publishedBuild: VaultBuild = {
  factory: parseAddress('0xbc4e70ade1b7de9b258efbced0b4ce76901c5a66'),
  vaultImplementation: parseAddress('0x47db5c538eedf31c5456420f0e5bc49af1195490'),
  forwarderImplementation: parseAddress('0x17a431eff5250140dac1b27c9c66ae16c333d065'),
};
