//! A layered layout (Sugiyama): layers by longest path, order by barycentre,
//! then coordinates. Small graphs only; no attempt at optimal crossings.

use std::collections::HashMap;

/// A node to place.
pub struct Box {
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
}

/// Where things are.
pub struct Layout {
    /// Centre of each node, in the order given.
    pub centres: Vec<(f64, f64)>,
    /// Way points of each edge between its ends, in the order given.
    pub bends: Vec<Vec<(f64, f64)>>,
    /// Size of the whole.
    pub size: (f64, f64),
}

const GAP_X: f64 = 36.0;
const GAP_Y: f64 = 56.0;
const MARGIN: f64 = 24.0;
/// Width kept for an edge that passes through a layer.
const LANE: f64 = 18.0;

/// Places nodes `0..boxes.len()`; node 0 is the entry, the last is the exit.
pub fn layout(boxes: &[Box], edges: &[(usize, usize)]) -> Layout {
    let reversed = back_edges(boxes.len(), edges);
    let layers = assign_layers(boxes.len(), edges, &reversed);
    let mut grid = Grid::new(boxes, edges, &reversed, &layers);
    for _ in 0..8 {
        grid.sweep_down();
        grid.sweep_up();
    }
    grid.place(boxes, edges, &reversed)
}

/// Edges that close a cycle in a depth-first walk from the entry.
fn back_edges(nodes: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    let mut reversed = vec![false; edges.len()];
    let mut state = vec![0u8; nodes]; // 0 unseen, 1 on the path, 2 done
    for root in 0..nodes {
        if state[root] != 0 {
            continue;
        }
        state[root] = 1;
        let mut path = vec![(root, 0)];
        while let Some((node, from)) = path.last_mut() {
            let next = (*from..edges.len()).find(|e| edges[*e].0 == *node);
            match next {
                None => {
                    state[*node] = 2;
                    path.pop();
                }
                Some(e) => {
                    *from = e + 1;
                    let target = edges[e].1;
                    match state[target] {
                        0 => {
                            state[target] = 1;
                            path.push((target, 0));
                        }
                        1 => reversed[e] = true,
                        _ => {}
                    }
                }
            }
        }
    }
    reversed
}

fn assign_layers(nodes: usize, edges: &[(usize, usize)], reversed: &[bool]) -> Vec<usize> {
    let mut layers = vec![0; nodes];
    for _ in 0..nodes {
        let mut changed = false;
        for (e, (source, target)) in edges.iter().enumerate() {
            if source == target {
                continue;
            }
            let (above, below) = if reversed[e] { (target, source) } else { (source, target) };
            if layers[*below] < layers[*above] + 1 {
                layers[*below] = layers[*above] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    // The exit stands below everything, also when nothing leads to it.
    if let Some(last) = nodes.checked_sub(1) {
        let deepest = layers[..last].iter().max().map_or(0, |deepest| deepest + 1);
        layers[last] = layers[last].max(deepest);
    }
    layers
}

/// Cells are nodes, then one dummy for each layer that a long edge passes.
struct Grid {
    rows: Vec<Vec<usize>>,
    up: Vec<Vec<usize>>,
    down: Vec<Vec<usize>>,
    /// Dummies of each edge from its upper to its lower end.
    lanes: HashMap<usize, Vec<usize>>,
    cells: usize,
}

impl Grid {
    fn new(boxes: &[Box], edges: &[(usize, usize)], reversed: &[bool], layers: &[usize]) -> Self {
        let depth = layers.iter().max().map_or(1, |deepest| deepest + 1);
        let mut grid = Grid {
            rows: vec![Vec::new(); depth],
            up: vec![Vec::new(); boxes.len()],
            down: vec![Vec::new(); boxes.len()],
            lanes: HashMap::new(),
            cells: boxes.len(),
        };
        for (node, layer) in layers.iter().enumerate() {
            grid.rows[*layer].push(node);
        }
        for (e, (source, target)) in edges.iter().enumerate() {
            if source == target {
                continue;
            }
            let (above, below) = if reversed[e] { (*target, *source) } else { (*source, *target) };
            let mut previous = above;
            for row in layers[above] + 1..layers[below] {
                let dummy = grid.add_dummy(row);
                grid.lanes.entry(e).or_default().push(dummy);
                grid.link(previous, dummy);
                previous = dummy;
            }
            grid.link(previous, below);
        }
        grid
    }

    fn add_dummy(&mut self, row: usize) -> usize {
        let dummy = self.cells;
        self.cells += 1;
        self.up.push(Vec::new());
        self.down.push(Vec::new());
        self.rows[row].push(dummy);
        dummy
    }

    fn link(&mut self, above: usize, below: usize) {
        self.down[above].push(below);
        self.up[below].push(above);
    }

    fn sweep_down(&mut self) {
        for row in 1..self.rows.len() {
            self.order_row(row, row - 1, true);
        }
    }

    fn sweep_up(&mut self) {
        for row in (0..self.rows.len().saturating_sub(1)).rev() {
            self.order_row(row, row + 1, false);
        }
    }

    fn order_row(&mut self, row: usize, by: usize, upwards: bool) {
        let places: HashMap<usize, usize> =
            self.rows[by].iter().enumerate().map(|(place, cell)| (*cell, place)).collect();
        let neighbours = if upwards { &self.up } else { &self.down };
        let weight = |(place, cell): (usize, &usize)| {
            let near: Vec<usize> =
                neighbours[*cell].iter().filter_map(|n| places.get(n).copied()).collect();
            match near.is_empty() {
                true => place as f64,
                false => near.iter().sum::<usize>() as f64 / near.len() as f64,
            }
        };
        let mut keyed: Vec<(f64, usize)> =
            self.rows[row].iter().enumerate().map(|item| (weight(item), *item.1)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.rows[row] = keyed.into_iter().map(|(_, cell)| cell).collect();
    }

    fn place(&self, boxes: &[Box], edges: &[(usize, usize)], reversed: &[bool]) -> Layout {
        let width = |cell: usize| boxes.get(cell).map_or(LANE, |b| b.width);
        let x = self.columns(&width);
        let mut y = vec![0.0; self.cells];
        let mut top = MARGIN;
        for row in &self.rows {
            let height = row
                .iter()
                .filter_map(|cell| boxes.get(*cell))
                .map(|b| b.height)
                .fold(0.0, f64::max);
            for cell in row {
                y[*cell] = top + height / 2.0;
            }
            top += height + GAP_Y;
        }
        let right = (0..self.cells).map(|c| x[c] + width(c) / 2.0).fold(0.0, f64::max);
        let bends = edges.iter().enumerate().map(|(e, _)| {
            let mut points: Vec<(f64, f64)> =
                self.lanes.get(&e).into_iter().flatten().map(|c| (x[*c], y[*c])).collect();
            if reversed[e] {
                points.reverse();
            }
            points
        });
        Layout {
            bends: bends.collect(),
            centres: (0..boxes.len()).map(|node| (x[node], y[node])).collect(),
            size: (right + MARGIN, top - GAP_Y + MARGIN),
        }
    }

    /// Each cell moves towards the mean of its neighbours as far as its row allows.
    fn columns(&self, width: &dyn Fn(usize) -> f64) -> Vec<f64> {
        let mut x = vec![0.0; self.cells];
        for row in &self.rows {
            let mut left = 0.0;
            for cell in row {
                x[*cell] = left + width(*cell) / 2.0;
                left += width(*cell) + GAP_X;
            }
        }
        for round in 0..24 {
            let rows: Vec<&Vec<usize>> = if round % 2 == 0 {
                self.rows.iter().collect()
            } else {
                self.rows.iter().rev().collect()
            };
            for row in rows {
                self.relax(row, &mut x, width);
            }
        }
        let left = (0..self.cells).map(|c| x[c] - width(c) / 2.0).fold(f64::INFINITY, f64::min);
        x.iter_mut().for_each(|x| *x += MARGIN - left);
        x
    }

    fn relax(&self, row: &[usize], x: &mut [f64], width: &dyn Fn(usize) -> f64) {
        let wish = |cell: usize, x: &[f64]| {
            let near: Vec<usize> = self.up[cell].iter().chain(&self.down[cell]).copied().collect();
            match near.is_empty() {
                true => x[cell],
                false => near.iter().map(|n| x[*n]).sum::<f64>() / near.len() as f64,
            }
        };
        let wishes: Vec<f64> = row.iter().map(|cell| wish(*cell, x)).collect();
        let apart = |a: usize, b: usize| (width(a) + width(b)) / 2.0 + GAP_X;
        let mut left = wishes.clone();
        for i in 1..row.len() {
            left[i] = left[i].max(left[i - 1] + apart(row[i - 1], row[i]));
        }
        let mut right = wishes;
        for i in (1..row.len()).rev() {
            right[i - 1] = right[i - 1].min(right[i] - apart(row[i - 1], row[i]));
        }
        for (i, cell) in row.iter().enumerate() {
            x[*cell] = (left[i] + right[i]) / 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(n: usize) -> Vec<Box> {
        (0..n).map(|_| Box { width: 100.0, height: 40.0 }).collect()
    }

    #[test]
    fn nodes_of_a_layer_never_overlap_and_edges_go_down() {
        let edges = [(0, 1), (1, 2), (1, 3), (1, 4), (2, 5), (3, 5), (4, 5), (5, 1), (5, 6)];
        let layout = layout(&boxes(7), &edges);
        for a in 0..7 {
            for b in a + 1..7 {
                let (ax, ay) = layout.centres[a];
                let (bx, by) = layout.centres[b];
                assert!((ax - bx).abs() >= 100.0 || (ay - by).abs() >= 40.0, "{a} and {b} overlap");
            }
        }
        assert!(layout.centres[5].1 > layout.centres[1].1, "a loop's edge does not turn it over");
    }

    #[test]
    fn a_graph_without_edges_and_a_self_loop_are_placed() {
        assert_eq!(layout(&boxes(2), &[]).centres.len(), 2);
        assert_eq!(layout(&boxes(3), &[(0, 1), (1, 1), (1, 2)]).bends.len(), 3);
    }
}
