// Values under the pointer, the finger or the arrow keys: a crosshair at the nearest point, and each curve's value there.
for (const picture of document.querySelectorAll('.picture')) {
  const svg = picture.querySelector('svg');
  const [left, top, right, bottom] = svg.dataset.frame.split(' ').map(Number);
  const series = [...svg.querySelectorAll('.series')].map(g => ({
    name: g.dataset.name, colour: g.classList[1], points: JSON.parse(g.dataset.points).filter(p => p[0] >= left - 1 && p[0] <= right + 1),
  })).filter(s => s.points.length > 0);
  if (series.length === 0) continue;
  // The browser's own tooltips would cover ours.
  svg.querySelectorAll('.marker title').forEach(title => title.remove());
  const stops = [...new Set(series.flatMap(s => s.points.map(p => p[0])))].sort((a, b) => a - b);
  const overlay = svg.appendChild(document.createElementNS(svg.namespaceURI, 'g'));
  const tip = picture.appendChild(document.createElement('div'));
  tip.className = 'tip';
  tip.setAttribute('role', 'status');
  let stop = -1;

  const nearest = (points, x) => points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);

  function hide() {
    stop = -1;
    tip.hidden = true;
    overlay.replaceChildren();
  }

  function draw(name, attributes) {
    const element = overlay.appendChild(document.createElementNS(svg.namespaceURI, name));
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  }

  function row(colour, name, value, raw) {
    const line = tip.appendChild(document.createElement('div'));
    if (colour) line.appendChild(document.createElement('i')).className = colour;
    line.appendChild(document.createElement('span')).textContent = name;
    const shown = line.appendChild(document.createElement('b'));
    shown.textContent = value;
    shown.dataset.value = raw;
    return line;
  }

  function show(index) {
    stop = Math.max(0, Math.min(stops.length - 1, index));
    const x = stops[stop];
    // A curve that has no point within a few steps of the crosshair has no value there.
    const here = series.map(s => ({...s, point: nearest(s.points, x)})).filter(s => Math.abs(s.point[0] - x) <= (right - left) / 25);
    here.sort((a, b) => a.point[1] - b.point[1]);
    const main = here.find(s => s.point[0] === x).point;
    overlay.replaceChildren();
    tip.replaceChildren();
    draw('path', {class: 'cross', d: `M${x} ${top}V${bottom}`});
    row('', svg.dataset.x, main[4], main[2]).className = 'at';
    for (const s of here) {
      if (s.point[1] >= top - 1 && s.point[1] <= bottom + 1) draw('circle', {class: `dot ${s.colour}`, cx: s.point[0], cy: s.point[1], r: 3.5});
      row(s.colour, s.point[4] === main[4] ? s.name : `${s.name} at ${s.point[4]}`, s.point[5], s.point[3]);
    }
    tip.hidden = false;
    const box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    const beside = x * scale > box.width / 2 ? x * scale - tip.offsetWidth - 12 : x * scale + 12;
    tip.style.left = `${Math.max(0, Math.min(box.width - tip.offsetWidth, beside))}px`;
    tip.style.top = `${(top + 4) * scale}px`;
  }

  function follow(event) {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
    show(stops.indexOf(nearest(stops.map(at => [at]), x)[0]));
  }

  svg.addEventListener('pointermove', follow);
  svg.addEventListener('pointerdown', follow);
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('blur', hide);
  svg.addEventListener('keydown', event => {
    const target = {
      ArrowLeft: stop - 1, ArrowRight: stop + 1, PageUp: stop - 10, PageDown: stop + 10, Home: 0, End: stops.length - 1,
    }[event.key];
    if (event.key === 'Escape') hide();
    else if (target !== undefined) show(target);
    else return;
    event.preventDefault();
  });
  hide();
}
// Paper shows all: what is folded away opens for the printer.
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach(details => { details.open = true; }));
