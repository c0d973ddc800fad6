export {
  type DevelopmentNode,
  type DevelopmentReceipt,
  type DevelopmentTransaction,
  openDevelopmentNode,
} from './development-node.ts';
export {
  altering,
  babbling,
  dead,
  honest,
  lagging,
  type Script,
  type ScriptedAnswer,
  type ScriptedSource,
  silent,
  slow,
  startScriptedSource,
  without,
} from './scripted-source.ts';
