/** Behaviour of the HTML report. Without it everything can still be read: the tree is open, nothing is filtered. */
export const SCRIPT = `
(() => {
  const all = (selector, from) => [...(from || document).querySelectorAll(selector)];
  const root = document.documentElement;
  const search = document.getElementById('filter');
  const empty = document.getElementById('nothing');
  const update = () => {
    const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
    const on = new Set(all('.chip input:checked').map((box) => box.value));
    let shown = 0;
    for (const item of all('[data-text]')) {
      const text = item.dataset.text.toLowerCase();
      item.hidden = !on.has(item.dataset.severity) || !words.every((word) => text.includes(word));
      if (!item.hidden && item.classList.contains('item')) shown++;
    }
    for (const resource of all('details.resource')) {
      const items = all(':scope > .item', resource);
      resource.hidden = items.length > 0 && items.every((item) => item.hidden);
    }
    for (const table of all('.table-view')) table.hidden = all('tbody tr', table).every((row) => row.hidden);
    empty.hidden = shown > 0 || all('.item').length === 0;
  };
  search.addEventListener('input', update);
  for (const box of all('.chip input')) box.addEventListener('change', update);
  for (const button of all('[data-show]')) {
    button.addEventListener('click', () => {
      document.body.dataset.view = button.dataset.show;
      for (const other of all('[data-show]')) other.setAttribute('aria-pressed', String(other === button));
    });
  }
  const open = (state) => { for (const d of all('details.resource')) d.open = state; };
  document.getElementById('expand').addEventListener('click', () => open(true));
  document.getElementById('collapse').addEventListener('click', () => open(false));
  document.getElementById('theme').addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
  });
  for (const button of all('.copy')) {
    button.hidden = !navigator.clipboard;
    button.addEventListener('click', () => {
      navigator.clipboard.writeText(button.dataset.copy).then(
        () => { button.textContent = 'Copied'; },
        () => { button.textContent = 'Not allowed here'; },
      );
    });
  }
  addEventListener('beforeprint', () => { for (const d of all('details')) { d.dataset.was = d.open ? '1' : ''; d.open = true; } });
  addEventListener('afterprint', () => { for (const d of all('details')) d.open = d.dataset.was === '1'; });
  addEventListener('keydown', (event) => {
    if (event.key === '/' && document.activeElement !== search) { event.preventDefault(); search.focus(); }
    if (event.key === 'Escape' && document.activeElement === search) { search.value = ''; update(); }
  });
})();
`;
