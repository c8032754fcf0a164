// Shows a picture of a graph: what is on the screen is drawn, everything else waits.
//
// data -> items, links -> a scene (what stands where, with the present folds) -> a sheet (a bitmap somewhat larger than
// the screen) -> the screen. Moving the view moves the sheet; a new sheet is drawn when its edge comes into view or the
// scale has come to rest. Text from documents goes only into textContent and fillText.
'use strict';
(() => {
  const colours = {};
  function takeColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['paper', 'ink', 'faint', 'accent', 'card', 'rim', 'way', 'around', 'far', 'tint']) {
      colours[name] = style.getPropertyValue('--' + name).trim();
    }
  }
  takeColours();
  const FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
  const TASK = 0, CHOICE = 1, MEETING = 2, CONTAINER = 3;
  // Above so many tasks, groups are folded at first.
  const FOLDED_ABOVE = 500;
  const FOUND_MAX = 60;

  const data = JSON.parse(document.getElementById('data').textContent);
  const states = data.states.map(([word, glyph, stroke, fill, dash]) => ({ word, glyph, stroke, fill, dash }));
  const items = data.items.map(([name, detail, label, small, form, x, y, w, h, inside, state, critical, group, rank], id) =>
    ({ id, name, detail, label, small, form, x, y, w, h, inside, state, critical: critical === 1, group, rank, before: [], after: [], content: [] }));
  const links = data.links.map(([from, to, label, critical, points]) => ({ from, to, label, critical: critical === 1, points }));
  const groups = data.groups.map(([name, kind], id) => ({ id, name, kind, members: [] }));
  for (const item of items) {
    if (item.inside >= 0) items[item.inside].content.push(item.id);
    if (item.group >= 0 && item.inside < 0) groups[item.group].members.push(item.id);
  }
  for (const link of links) {
    items[link.from].after.push(link.to);
    items[link.to].before.push(link.from);
  }

  // ---- folds -------------------------------------------------------------------------------------------------------

  const foldedGroups = new Set(), foldedItems = new Set();
  if (items.length > FOLDED_ABOVE) groups.forEach((group) => foldedGroups.add(group.id));

  const outermost = (item) => { while (item.inside >= 0) item = items[item.inside]; return item; };
  const isHidden = (item) => {
    for (let at = item; at.inside >= 0;) { at = items[at.inside]; if (foldedItems.has(at.id)) return true; }
    return foldedGroups.has(outermost(item).group);
  };
  const unfoldTo = (item) => {
    foldedGroups.delete(outermost(item).group);
    for (let at = item; at.inside >= 0;) { at = items[at.inside]; foldedItems.delete(at.id); }
  };
  const tasksIn = (item) => item.content.reduce((sum, id) => sum + tasksIn(items[id]), item.content.length);

  // ---- the scene ---------------------------------------------------------------------------------------------------

  const nodeOf = (item, dx = 0, dy = 0) => ({ key: 'i' + item.id, item, group: null, x: item.x + dx, y: item.y + dy, w: item.w, h: item.h });

  /** As the layout has it. */
  function wholeScene() {
    const nodes = items.map((item) => nodeOf(item));
    return withBounds(nodes, links.map((link) => ({ ...link, a: 'i' + link.from, b: 'i' + link.to, count: 1 })));
  }

  /** With folds: units (tasks, folded groups, containers with all that is in them) are put together anew, column by
   * column, each column in the order that the layout gave it. */
  function foldedScene() {
    const units = new Map(), unitOf = new Map();
    for (const item of items) {
      if (item.inside >= 0) continue;
      const folded = foldedGroups.has(item.group);
      const key = folded ? 'g' + item.group : 'i' + item.id;
      unitOf.set(item.id, key);
      if (!units.has(key)) units.set(key, { key, members: [], group: folded ? groups[item.group] : null });
      units.get(key).members.push(item);
    }
    for (const unit of units.values()) {
      const mean = (of) => unit.members.reduce((sum, item) => sum + of(item), 0) / unit.members.length;
      unit.rank = mean((item) => item.rank);
      unit.at = mean((item) => item.y + item.h / 2);
      const only = unit.members[0];
      const small = !unit.group && foldedItems.has(only.id);
      unit.w = unit.group ? Math.max(130, 8 * Math.min(unit.group.name.length, 30) + 44) : only.w;
      unit.h = unit.group ? 54 : small ? 44 : only.h;
      if (small) unit.w = Math.max(110, 8 * Math.min(only.label.length, 34) + 40);
      unit.before = new Map();
      unit.after = new Map();
    }
    const joins = new Map();
    for (const link of links) {
      if (items[link.from].inside >= 0) continue;
      const a = unitOf.get(link.from), b = unitOf.get(link.to);
      if (a === b) continue;
      const key = a + ' ' + b;
      const join = joins.get(key) || { a, b, label: link.label, critical: false, count: 0 };
      join.critical ||= link.critical;
      join.count += 1;
      joins.set(key, join);
      units.get(a).after.set(b, join);
      units.get(b).before.set(a, join);
    }
    const columns = columnsOf([...units.values()], units);
    place(columns, units);
    const nodes = [], ways = [];
    for (const unit of units.values()) {
      if (unit.group) nodes.push({ key: unit.key, item: null, group: unit.group, x: unit.x, y: unit.y, w: unit.w, h: unit.h });
      else inner(unit.members[0], unit.x - unit.members[0].x, unit.y - unit.members[0].y, unit, nodes, ways);
    }
    for (const join of joins.values()) {
      const a = units.get(join.a), b = units.get(join.b);
      const [x0, y0, x1, y1] = [a.x + a.w, a.y + a.h / 2, b.x, b.y + b.h / 2];
      ways.push({ ...join, points: [x0, y0, a.right, y0, b.left, y1, x1, y1] });
    }
    return withBounds(nodes, ways);
  }

  /** A unit that is an item, and what is in it. */
  function inner(item, dx, dy, unit, nodes, ways) {
    const node = nodeOf(item, dx, dy);
    if (unit) Object.assign(node, { w: unit.w, h: unit.h });
    nodes.push(node);
    if (foldedItems.has(item.id)) return;
    item.content.forEach((id) => inner(items[id], dx, dy, null, nodes, ways));
    const own = new Set(item.content);
    for (const link of item.content.length ? links : []) {
      if (own.has(link.from)) {
        const points = link.points.map((value, at) => value + (at % 2 ? dy : dx));
        ways.push({ ...link, points, a: 'i' + link.from, b: 'i' + link.to, count: 1 });
      }
    }
  }

  /** Later than whatever leads to it from an earlier rank, without empty columns. */
  function columnsOf(list, units) {
    const columns = [];
    for (const unit of list.sort((a, b) => a.rank - b.rank || a.at - b.at)) {
      unit.column = 0;
      for (const key of unit.before.keys()) {
        const other = units.get(key);
        if (other.rank < unit.rank) unit.column = Math.max(unit.column, other.column + 1);
      }
      (columns[unit.column] ||= []).push(unit);
    }
    return columns;
  }

  function place(columns, units) {
    const GAP = 20;
    let left = 0;
    for (const column of columns) {
      column.sort((a, b) => a.at - b.at);
      const width = Math.max(...column.map((unit) => unit.w));
      let y = 0;
      for (const unit of column) {
        Object.assign(unit, { x: left + (width - unit.w) / 2, y, left, right: left + width });
        y += unit.h + GAP;
      }
      column.forEach((unit) => { unit.y -= y / 2; });
      left += width + 70 + Math.min(140, y / 12);
    }
    for (let pass = 0; pass < 8; pass += 1) {
      for (const column of pass % 2 ? [...columns].reverse() : columns) settle(column, units, GAP, pass % 2 ? 'after' : 'before');
    }
  }

  /** Moves a column towards its neighbours on one side; its order stays. */
  function settle(column, units, gap, side) {
    const wishes = column.map((unit) => {
      const near = [...unit[side].keys()].map((key) => units.get(key)).filter((other) => other.column !== unit.column);
      return near.length ? near.reduce((sum, other) => sum + other.y + other.h / 2, 0) / near.length - unit.h / 2 : unit.y;
    });
    // Pools of units that touch each other stand where their members together want to.
    const pools = [];
    column.forEach((unit, at) => {
      pools.push({ units: [unit], wish: wishes[at], height: unit.h });
      while (pools.length > 1) {
        const b = pools[pools.length - 1], a = pools[pools.length - 2];
        if (a.wish + a.height + gap <= b.wish) break;
        const [n, m] = [a.units.length, b.units.length];
        a.wish = (a.wish * n + (b.wish - a.height - gap) * m) / (n + m);
        a.height += gap + b.height;
        a.units.push(...b.units);
        pools.pop();
      }
    });
    for (const pool of pools) {
      let y = pool.wish;
      for (const unit of pool.units) { unit.y = y; y += unit.h + gap; }
    }
  }

  function withBounds(nodes, ways) {
    const scene = { nodes, ways, byKey: new Map(nodes.map((node) => [node.key, node])), box: [Infinity, Infinity, -Infinity, -Infinity] };
    const grow = (box, x, y) => { box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y); box[2] = Math.max(box[2], x); box[3] = Math.max(box[3], y); };
    for (const node of nodes) { grow(scene.box, node.x, node.y); grow(scene.box, node.x + node.w, node.y + node.h); }
    for (const way of ways) {
      way.box = [Infinity, Infinity, -Infinity, -Infinity];
      for (let at = 0; at < way.points.length; at += 2) grow(way.box, way.points[at], way.points[at + 1]);
    }
    if (!nodes.length) scene.box = [0, 0, 1, 1];
    return scene;
  }

  // ---- drawing -----------------------------------------------------------------------------------------------------

  const canvas = document.getElementById('canvas'), screen = canvas.getContext('2d', { alpha: false });
  const sheet = { canvas: document.createElement('canvas'), view: null, margin: 0 };
  let scene = null, view = { x: 0, y: 0, k: 1 }, size = [1, 1], ratio = 1, chosen = null, kin = null;
  let dirty = true, waiting = false, rest = 0;

  function rebuild() {
    scene = foldedGroups.size || foldedItems.size ? foldedScene() : wholeScene();
    choose(chosen && scene.byKey.has(chosen) ? chosen : null);
    listGroups();
  }

  /** Everything before and after a node. */
  function kinOf(key) {
    const found = new Set([key]);
    for (const [near, far] of [['a', 'b'], ['b', 'a']]) {
      const next = new Map();
      for (const way of scene.ways) { if (!next.has(way[near])) next.set(way[near], []); next.get(way[near]).push(way[far]); }
      const open = [key], seen = new Set(open);
      while (open.length) for (const other of next.get(open.pop()) || []) if (!seen.has(other)) { seen.add(other); open.push(other); }
      seen.forEach((other) => found.add(other));
    }
    return found;
  }

  function redraw() { dirty = true; ask(); }
  function ask() { if (!waiting) { waiting = true; requestAnimationFrame(frame); } }

  function frame() {
    waiting = false;
    const drawn = sheet.view, m = sheet.margin;
    const same = drawn && drawn.k === view.k;
    const dx = drawn ? view.x - drawn.x * (view.k / drawn.k) : 0, dy = drawn ? view.y - drawn.y * (view.k / drawn.k) : 0;
    if (dirty || (same && (Math.abs(dx) > m || Math.abs(dy) > m))) { drawSheet(); return frame(); }
    screen.setTransform(1, 0, 0, 1, 0, 0);
    screen.fillStyle = colours.paper;
    screen.fillRect(0, 0, canvas.width, canvas.height);
    const scale = view.k / drawn.k;
    screen.drawImage(sheet.canvas, (dx - m * scale) * ratio, (dy - m * scale) * ratio, sheet.canvas.width * scale, sheet.canvas.height * scale);
    if (!same) { clearTimeout(rest); rest = setTimeout(redraw, 90); }
  }

  function drawSheet() {
    dirty = false;
    const m = Math.round(Math.min(size[0], size[1]) * 0.3);
    const [w, h] = [Math.ceil((size[0] + 2 * m) * ratio), Math.ceil((size[1] + 2 * m) * ratio)];
    if (sheet.canvas.width !== w || sheet.canvas.height !== h) { sheet.canvas.width = w; sheet.canvas.height = h; }
    Object.assign(sheet, { view: { ...view }, margin: m });
    const pen = sheet.canvas.getContext('2d', { alpha: false });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, w, h);
    pen.setTransform(view.k * ratio, 0, 0, view.k * ratio, (view.x + m) * ratio, (view.y + m) * ratio);
    const seen = [(-m - view.x) / view.k, (-m - view.y) / view.k, (size[0] + m - view.x) / view.k, (size[1] + m - view.y) / view.k];
    const nodes = scene.nodes.filter((n) => n.x < seen[2] && n.x + n.w > seen[0] && n.y < seen[3] && n.y + n.h > seen[1]);
    const ways = scene.ways.filter((l) => l.box[0] < seen[2] && l.box[2] > seen[0] && l.box[1] < seen[3] && l.box[3] > seen[1]);
    nodes.filter((node) => node.item && node.item.form === CONTAINER && !foldedItems.has(node.item.id)).forEach((node) => drawFrame(pen, node));
    drawWays(pen, ways);
    drawNodes(pen, nodes);
  }

  const faded = (key) => kin !== null && !kin.has(key);

  function drawFrame(pen, node) {
    pen.globalAlpha = faded(node.key) ? 0.35 : 1;
    const look = states[node.item.state];
    pen.lineWidth = node.item.critical ? 2.6 : 1.2;
    pen.strokeStyle = node.item.critical ? colours.accent : look ? look.stroke : colours.rim;
    pen.fillStyle = colours.around;
    pen.beginPath();
    pen.roundRect(node.x, node.y, node.w, node.h, 9);
    pen.fill();
    pen.stroke();
    if (view.k > 0.3) {
      write(pen, (look ? look.glyph + ' ' : '') + node.item.label, node.x + 14, node.y + 14, 13, colours.ink, 'left');
      write(pen, node.item.small, node.x + 14, node.y + 29, 10.5, colours.faint, 'left');
    }
    pen.globalAlpha = 1;
  }

  function trace(pen, points) {
    pen.moveTo(points[0], points[1]);
    if (view.k < 0.12) { pen.lineTo(points[points.length - 2], points[points.length - 1]); return; }
    for (let at = 2; at < points.length; at += 2) {
      const [x0, y0, x1, y1] = [points[at - 2], points[at - 1], points[at], points[at + 1]];
      if (at % 4 === 2 || Math.abs(y1 - y0) < 0.1 || view.k < 0.2) pen.lineTo(x1, y1);
      else { const c = (x0 + x1) / 2; pen.bezierCurveTo(c, y0, c, y1, x1, y1); }
    }
  }

  function drawWays(pen, ways) {
    const isKin = (way) => kin !== null && kin.has(way.a) && kin.has(way.b);
    const kinds = [
      { of: (way) => !way.critical && !way.label && !isKin(way), colour: colours.way, width: 1.3, dash: [] },
      { of: (way) => !way.critical && way.label && !isKin(way), colour: colours.way, width: 1.3, dash: [5, 3] },
      { of: (way) => !way.critical && isKin(way), colour: colours.ink, width: 1.7, dash: [] },
      { of: (way) => way.critical, colour: colours.accent, width: 2.6, dash: [] },
    ];
    for (const kind of kinds) {
      const own = ways.filter(kind.of);
      if (!own.length) continue;
      pen.globalAlpha = kin !== null && kind.colour === colours.way ? 0.25 : 1;
      // Thinner than this, a line costs more and shows less.
      pen.lineWidth = Math.max(kind.width, 0.5 / view.k);
      pen.strokeStyle = pen.fillStyle = kind.colour;
      pen.setLineDash(view.k > 0.4 ? kind.dash : []);
      pen.beginPath();
      own.forEach((way) => trace(pen, way.points));
      pen.stroke();
      pen.setLineDash([]);
      if (view.k < 0.25) continue;
      pen.beginPath();
      for (const { points } of own) {
        const [x, y] = [points[points.length - 2], points[points.length - 1]];
        pen.moveTo(x, y);
        pen.lineTo(x - 6.5, y + 3.2);
        pen.lineTo(x - 6.5, y - 3.2);
      }
      pen.fill();
      if (view.k > 0.5) {
        for (const { points, label, count } of own) {
          const [x, y] = [points[points.length - 6] + points[points.length - 4], points[points.length - 5] + points[points.length - 3]];
          const words = label || (count > 1 ? '×' + count : '');
          if (words) write(pen, words, x / 2, y / 2 - 7, 10, colours.faint, 'center');
        }
      }
    }
    pen.globalAlpha = 1;
  }

  function outline(pen, node, form) {
    const { x, y, w, h } = node;
    if (form === CHOICE) {
      const cut = Math.min(13, h / 2);
      pen.moveTo(x + cut, y); pen.lineTo(x + w - cut, y); pen.lineTo(x + w, y + h / 2); pen.lineTo(x + w - cut, y + h);
      pen.lineTo(x + cut, y + h); pen.lineTo(x, y + h / 2); pen.closePath();
    } else if (view.k < 0.3) pen.rect(x, y, w, h);
    else pen.roundRect(x, y, w, h, form === MEETING ? h / 2 : 7);
  }

  function drawNodes(pen, nodes) {
    for (const node of nodes) {
      const { item, group } = node;
      if (item && item.form === CONTAINER && !foldedItems.has(item.id)) continue;
      pen.globalAlpha = faded(node.key) ? 0.3 : 1;
      const look = item ? states[item.state] : null;
      const critical = item ? item.critical : group.members.some((id) => items[id].critical);
      const folded = group !== null || item.form === CONTAINER;
      pen.lineWidth = Math.max(critical || node.key === chosen ? 2.6 : 1.2, 0.5 / view.k);
      pen.strokeStyle = node.key === chosen ? colours.ink : look ? look.stroke : critical ? colours.accent : colours.rim;
      const tinted = look && Number(colours.tint) > 0;
      pen.fillStyle = look && !tinted ? look.fill : critical && view.k < 0.3 ? colours.far : colours.card;
      if (folded && view.k >= 0.2) {
        pen.beginPath();
        for (const d of [6, 3]) { pen.roundRect(node.x + d, node.y + d, node.w, node.h, 7); }
        pen.stroke();
        pen.save(); pen.fillStyle = colours.card; pen.fill(); pen.restore();
      }
      pen.beginPath();
      outline(pen, node, item ? item.form : TASK);
      pen.fill();
      if (tinted) fillLightly(pen, look.stroke);
      if (view.k >= 0.08 || critical) {
        if (look && view.k > 0.3) pen.setLineDash(look.dash.map(Number));
        pen.stroke();
        pen.setLineDash([]);
      }
      if (view.k > 0.3) drawText(pen, node, look);
    }
    pen.globalAlpha = 1;
  }

  /** In the dark a state is a tint of the card: what is written on it stays light. */
  function fillLightly(pen, style) {
    pen.save();
    pen.globalAlpha *= Number(colours.tint);
    pen.fillStyle = style;
    pen.fill();
    pen.restore();
  }

  function drawText(pen, node, look) {
    const { item, group } = node, x = node.x + node.w / 2, y = node.y + node.h / 2;
    if (group) {
      const words = tally(group.members);
      write(pen, short(group.name, 30), x, y - 9, 13, colours.ink, 'center', '600 ');
      write(pen, group.members.length + ' tasks', x, y + 6, 10.5, colours.faint, 'center');
      if (words) write(pen, words, x, y + 18, 10.5, colours.ink, 'center');
    } else if (item.form === CONTAINER) {
      write(pen, (look ? look.glyph + ' ' : '') + item.label, x, y - 7, 13, colours.ink, 'center', '600 ');
      write(pen, tasksIn(item) + ' inside', x, y + 9, 10.5, colours.faint, 'center');
    } else {
      write(pen, (look ? look.glyph + ' ' : '') + item.label, x, item.small ? y - 7 : y, 13, colours.ink, 'center');
      if (item.small) write(pen, item.small, x, y + 9, 10.5, colours.faint, 'center');
    }
  }

  function write(pen, words, x, y, height, colour, align, weight = '') {
    if (height * view.k < 4.5) return;
    pen.font = weight + height + 'px ' + FONT;
    pen.textAlign = align;
    pen.textBaseline = 'middle';
    pen.fillStyle = colour;
    pen.fillText(words, x, y);
  }

  const short = (words, most) => (words.length > most ? words.slice(0, most - 1) + '…' : words);
  const tally = (ids) => states.map((state, at) => [state, ids.filter((id) => items[id].state === at).length])
    .filter(([, count]) => count).map(([state, count]) => state.glyph + ' ' + count).join('  ');

  // ---- moving ------------------------------------------------------------------------------------------------------

  function fit() {
    const [x0, y0, x1, y1] = scene.box, aside = groups.length ? 230 : 0;
    const room = [size[0] - 60 - aside, size[1] - 150];
    const k = Math.min(1.25, room[0] / (x1 - x0), room[1] / (y1 - y0));
    view = { k, x: aside + 30 + room[0] / 2 - (x0 + x1) / 2 * k, y: 85 + room[1] / 2 - (y0 + y1) / 2 * k };
    redraw();
  }

  function zoom(factor, x, y) {
    const k = Math.min(4, Math.max(0.01, view.k * factor)), f = k / view.k;
    view = { k, x: x - (x - view.x) * f, y: y - (y - view.y) * f };
    ask();
  }

  function move(dx, dy) { view = { ...view, x: view.x + dx, y: view.y + dy }; ask(); }

  function goTo(item) {
    if (isHidden(item)) { unfoldTo(item); rebuild(); }
    const node = scene.byKey.get('i' + item.id), k = Math.max(view.k, 0.9);
    view = { k, x: size[0] / 2 - (node.x + node.w / 2) * k, y: size[1] / 2 - (node.y + node.h / 2) * k };
    choose(node.key);
  }

  function choose(key) {
    chosen = key;
    kin = key ? kinOf(key) : null;
    showCard();
    redraw();
  }

  function nodeAt(x, y) {
    const [wx, wy] = [(x - view.x) / view.k, (y - view.y) / view.k];
    for (let at = scene.nodes.length - 1; at >= 0; at -= 1) {
      const node = scene.nodes[at];
      if (wx >= node.x && wx <= node.x + node.w && wy >= node.y && wy <= node.y + node.h) return node;
    }
    return null;
  }

  const toggle = (node) => {
    if (node.group) foldedGroups.delete(node.group.id);
    else if (node.item.form === CONTAINER) { if (!foldedItems.delete(node.item.id)) foldedItems.add(node.item.id); }
    else if (node.item.group >= 0) foldedGroups.add(node.item.group);
    else return;
    rebuild();
  };

  const fingers = new Map();
  let moved = 0;
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 1) moved = 0;
  });
  canvas.addEventListener('pointermove', (event) => {
    const at = [event.clientX, event.clientY], before = fingers.get(event.pointerId);
    if (!before) {
      const node = nodeAt(...at);
      canvas.classList.toggle('over', node !== null);
      canvas.title = node ? (node.group ? node.group.name : [node.item.name, node.item.detail].filter(Boolean).join(' · ')) : '';
      return;
    }
    moved += Math.hypot(at[0] - before[0], at[1] - before[1]);
    fingers.set(event.pointerId, at);
    canvas.classList.add('dragged');
    if (fingers.size === 1) move(at[0] - before[0], at[1] - before[1]);
    else {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
      if (apart(before) > 0) zoom(apart(at) / apart(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    }
  });
  const lift = (event) => {
    const was = fingers.delete(event.pointerId);
    canvas.classList.remove('dragged');
    if (was && event.type === 'pointerup' && moved < 4) { const node = nodeAt(event.clientX, event.clientY); choose(node ? node.key : null); }
  };
  canvas.addEventListener('pointerup', lift);
  canvas.addEventListener('pointercancel', lift);
  canvas.addEventListener('dblclick', (event) => { const node = nodeAt(event.clientX, event.clientY); if (node) toggle(node); });
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    if (event.shiftKey) move(-event.deltaY, 0);
    else zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.04 : 0.0016)), event.clientX, event.clientY);
  }, { passive: false });
  document.addEventListener('keydown', (event) => {
    if (event.target === search) { if (event.key === 'Escape') { search.value = ''; find(); canvas.focus(); } return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = [size[0] / 2, size[1] / 2];
    const acts = {
      '/': () => search.focus(), 0: fit, '+': () => zoom(1.25, ...middle), '=': () => zoom(1.25, ...middle), '-': () => zoom(0.8, ...middle),
      ArrowLeft: () => move(80, 0), ArrowRight: () => move(-80, 0), ArrowUp: () => move(0, 80), ArrowDown: () => move(0, -80),
      Escape: () => choose(null),
    };
    if (Object.hasOwn(acts, event.key)) { event.preventDefault(); acts[event.key](); }
  });

  // ---- around the graph --------------------------------------------------------------------------------------------

  const search = document.getElementById('search'), found = document.getElementById('found');
  const put = (parent, tag, words) => { const made = document.createElement(tag); if (words !== undefined) made.textContent = words; parent.append(made); return made; };

  function find() {
    const wanted = search.value.trim().toLowerCase();
    const hits = wanted ? items.filter((item) => item.name.toLowerCase().includes(wanted)) : [];
    found.replaceChildren();
    found.hidden = !wanted;
    for (const item of hits.slice(0, FOUND_MAX)) {
      const button = put(put(found, 'li'), 'button', item.name);
      button.addEventListener('click', () => { found.hidden = true; goTo(item); });
    }
    if (hits.length > FOUND_MAX) put(put(found, 'li'), 'small', (hits.length - FOUND_MAX) + ' more');
    if (wanted && !hits.length) put(put(found, 'li'), 'small', 'nothing has this in its name');
    return hits;
  }
  search.addEventListener('input', find);
  search.addEventListener('keydown', (event) => { if (event.key === 'Enter') { const [first] = find(); if (first) { found.hidden = true; goTo(first); } } });
  document.getElementById('fit').addEventListener('click', fit);

  const critical = items.filter((item) => item.critical && item.inside < 0).sort((a, b) => a.x - b.x);
  const follow = document.getElementById('follow');
  follow.hidden = !critical.length;
  follow.addEventListener('click', () => {
    const at = critical.findIndex((item) => 'i' + item.id === chosen);
    goTo(critical[(at + 1) % critical.length]);
  });

  const list = document.getElementById('group-list');
  document.getElementById('groups').hidden = !groups.length;
  document.getElementById('fold').addEventListener('click', () => { groups.forEach((group) => foldedGroups.add(group.id)); rebuild(); fit(); });
  document.getElementById('unfold').addEventListener('click', () => { foldedGroups.clear(); foldedItems.clear(); rebuild(); fit(); });
  function listGroups() {
    list.replaceChildren();
    for (const group of groups) {
      const button = put(put(list, 'li'), 'button', (foldedGroups.has(group.id) ? '▸ ' : '▾ ') + group.name + ' ');
      put(button, 'small', group.members.length + ' · ' + group.kind);
      button.addEventListener('click', () => { if (!foldedGroups.delete(group.id)) foldedGroups.add(group.id); rebuild(); });
    }
  }

  const card = document.getElementById('card');
  function showCard() {
    const node = chosen && scene.byKey.get(chosen);
    card.hidden = !node;
    card.replaceChildren();
    if (!node) return;
    const { item, group } = node;
    put(card, 'h2', item ? item.name : group.name);
    if (group) {
      put(card, 'p', group.members.length + ' tasks of one ' + group.kind + '; a double click unfolds it');
      put(card, 'p', tally(group.members));
      return;
    }
    const look = states[item.state];
    put(card, 'p', [item.detail, look && look.glyph + ' ' + look.word, item.critical && 'on the critical path'].filter(Boolean).join(' · '));
    if (item.content.length) put(card, 'p', tasksIn(item) + ' inside; a double click folds or unfolds it');
    for (const [title, ids] of [['needs', item.before], ['needed by', item.after]]) {
      if (!ids.length) continue;
      put(card, 'h3', title);
      for (const id of ids.slice(0, FOUND_MAX)) put(card, 'a', items[id].name).addEventListener('click', () => goTo(items[id]));
      if (ids.length > FOUND_MAX) put(card, 'p', (ids.length - FOUND_MAX) + ' more');
    }
  }

  document.getElementById('title').textContent = data.title;
  document.getElementById('subtitle').textContent = data.subtitle;
  const legend = document.getElementById('legend');
  states.forEach((state, at) => {
    const count = items.filter((item) => item.state === at).length;
    if (!count) return;
    const entry = put(legend, 'span');
    put(entry, 'b', state.glyph).style.color = state.stroke;
    put(entry, 'span', ' ' + state.word + ' ' + count);
  });
  if (critical.length) { const entry = put(legend, 'span'); put(entry, 'b', '━').style.color = 'var(--accent)'; put(entry, 'span', ' critical path'); }
  put(legend, 'span', 'drag moves · wheel zooms · click traces · double click folds');

  function resize() {
    ratio = Math.min(window.devicePixelRatio || 1, 2);
    size = [window.innerWidth, window.innerHeight];
    [canvas.width, canvas.height] = size.map((length) => Math.round(length * ratio));
    redraw();
  }
  window.addEventListener('resize', resize);
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { takeColours(); redraw(); });
  rebuild();
  resize();
  fit();
})();
