import { describeItem, type KnownAssets, type RegistryItem } from '@bulkhead/authority';
import { button, card, element } from './element.ts';

/** Items shown at once. */
export const itemsPerPage: number = 50;

/** Every item of a list in words, page by page, with how many there are of each kind. */
export function listCard(items: readonly RegistryItem[], assets: KnownAssets): HTMLElement {
  const counts = new Map<string, number>();
  for (const { item } of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  const chips = [...counts].map(([kind, count]) => element('li', {}, element('strong', {}, String(count)), ` ${kind}`));
  const list = element('ol', { class: 'items' });
  const where = element('p', { class: 'hint', role: 'status' });
  const pages = Math.ceil(items.length / itemsPerPage);
  let page = 0;
  const turn = (to: number): void => {
    page = Math.min(Math.max(to, 0), pages - 1);
    const first = page * itemsPerPage;
    const shown = items.slice(first, first + itemsPerPage);
    list.start = first + 1;
    list.replaceChildren(...shown.map((item) => itemLine(item, assets)));
    where.textContent = `Items ${first + 1} to ${first + shown.length} of ${items.length}`;
    before.toggleAttribute('disabled', page === 0);
    next.toggleAttribute('disabled', page === pages - 1);
  };
  const failed = (): void => undefined;
  const before = button('Previous', {}, { act: () => undefined, failed });
  const next = button('Next', {}, { act: () => undefined, failed });
  before.addEventListener('click', () => setTimeout(() => turn(page - 1)));
  next.addEventListener('click', () => setTimeout(() => turn(page + 1)));
  turn(0);
  return card(
    'The list',
    element('ul', { class: 'chips', 'aria-label': 'Items by kind' }, ...chips),
    where,
    list,
    pages > 1 ? element('div', { class: 'actions' }, before, next) : undefined,
  );
}

function itemLine(item: RegistryItem, assets: KnownAssets): HTMLElement {
  const [first = '', ...rest] = describeItem(item, assets);
  const parts = rest.map((line) => element('li', {}, element('bdi', {}, line.trim())));
  return element(
    'li',
    { class: `item ${item.item}` },
    element('bdi', {}, first),
    parts.length === 0 ? undefined : element('ul', {}, ...parts),
  );
}
