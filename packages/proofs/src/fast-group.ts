import { type Group, portableGroup } from './group.ts';
import { machineGroup } from './machine-group.ts';

export { type Group, portableGroup };

/** The fastest that this place allows. Make one and keep it: it remembers what it computed of generators. */
export function fastGroup(): Group {
  try {
    return machineGroup();
  } catch {
    // No WebAssembly here, or a page's policy against it. The bytes are the same either way.
    return portableGroup();
  }
}
