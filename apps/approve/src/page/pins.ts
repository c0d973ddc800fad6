import type { PagePins } from '../page-pins.ts';

/** Put here by the build. */
declare const approvalPagePins: PagePins;

export const pins: PagePins = approvalPagePins;
