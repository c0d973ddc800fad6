export { conclude, type Demonstration, demonstrate, type LastAct } from './play.ts';
export type { Telling } from './scene.ts';
