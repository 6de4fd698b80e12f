//! [`Tree`]: the branches of a history as columns, newest checkpoint first.

use weaver_engine::CheckpointId;

/// The columns, each with the checkpoint that comes next in it.
#[derive(Default)]
pub struct Tree {
    columns: Vec<Option<CheckpointId>>,
}

/// What stands in front of a checkpoint.
pub struct Row {
    /// Its column, 0 for the newest branch.
    pub column: usize,
    /// The line on which branches meet, if some begin at this checkpoint.
    pub joint: Option<String>,
    /// The columns, with a dot in its own.
    pub dots: String,
}

impl Tree {
    /// Places the next checkpoint.
    pub fn place(&mut self, id: CheckpointId, parent: Option<CheckpointId>) -> Row {
        let waiting: Vec<usize> =
            (0..self.columns.len()).filter(|n| self.columns[*n] == Some(id)).collect();
        let column = match waiting.first() {
            Some(column) => *column,
            None => self.free(),
        };
        let joint = match waiting.as_slice() {
            [] | [_] => None,
            [first, others @ ..] => Some(self.join(*first, others)),
        };
        self.columns[column] = Some(id);
        let dots = self.draw(|n| if n == column { '●' } else { '│' });
        self.columns[column] = parent;
        while self.columns.last() == Some(&None) {
            self.columns.pop();
        }
        Row { column, joint, dots }
    }

    fn free(&mut self) -> usize {
        match self.columns.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.columns.push(None);
                self.columns.len() - 1
            }
        }
    }

    /// Ends columns that come together in the first; `├─┴─╯`.
    fn join(&mut self, first: usize, others: &[usize]) -> String {
        let last = *others.last().expect("there are others");
        let mut line = String::new();
        for n in 0..self.columns.len() {
            let sign = match n {
                n if n == first => '├',
                n if n == last => '╯',
                n if others.contains(&n) => '┴',
                n if self.columns[n].is_some() && (n < first || n > last) => '│',
                n if self.columns[n].is_some() => '┼',
                n if n > first && n < last => '─',
                _ => ' ',
            };
            line.push(sign);
            line.push(if n >= first && n < last { '─' } else { ' ' });
        }
        for other in others {
            self.columns[*other] = None;
        }
        line.trim_end().to_string()
    }

    fn draw(&self, sign: impl Fn(usize) -> char) -> String {
        let mut line = String::new();
        for (n, column) in self.columns.iter().enumerate() {
            line.push(if column.is_some() { sign(n) } else { ' ' });
            line.push(' ');
        }
        line.trim_end().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pair is a checkpoint and its parent, newest first.
    fn drawn(history: &[(u128, u128)]) -> Vec<String> {
        let mut tree = Tree::default();
        let mut lines = Vec::new();
        for (id, parent) in history {
            let parent = Some(CheckpointId(*parent)).filter(|parent| parent.0 > 0);
            let row = tree.place(CheckpointId(*id), parent);
            lines.extend(row.joint);
            lines.push(row.dots);
        }
        lines
    }

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(drawn(&[(3, 2), (2, 1), (1, 0)]), ["●", "●", "●"]);
    }

    #[test]
    fn branches_stand_beside_each_other_and_meet() {
        // 1 ← 2 ← 3 ← 4, and 5 ← 6 from 2, and 7 from 1.
        let history = [(7, 1), (6, 5), (5, 2), (4, 3), (3, 2), (2, 1), (1, 0)];
        let expected = ["●", "│ ●", "│ ●", "│ │ ●", "│ │ ●", "│ ├─╯", "│ ●", "├─╯", "●"];
        assert_eq!(drawn(&history), expected);
    }

    #[test]
    fn a_history_of_its_own_takes_a_free_column() {
        assert_eq!(drawn(&[(4, 3), (3, 0), (2, 1), (1, 0)]), ["●", "●", "●", "●"]);
    }
}
