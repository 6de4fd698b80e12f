//! `convert`: old JSON workflows.

use crate::desk::Desk;

const OLD: &str = r#"{"nodes": [
  {"id": "1", "type": "start"},
  {"id": "2", "type": "code", "name": "count", "config": {"code": "result = {'n': 1}", "retries": 2}},
  {"id": "3", "type": "end"}
], "edges": [{"source": "1", "target": "2"}, {"source": "2", "target": "3"}],
"variables": [{"name": "n", "type": "integer"}]}"#;

#[test]
fn an_old_workflow_becomes_a_file_that_runs() {
    let desk = Desk::with("old.json", OLD);
    let ended = desk.run(["convert", "old.json", "-o", "new.py"]).expect(0);
    ended.says(&["node `2`", "the setting `retries` has no counterpart"]);
    let printed = desk.run(["convert", "old.json"]).expect(0).out;
    assert_eq!(printed, std::fs::read_to_string(desk.path("new.py")).unwrap());
    let ended = desk.run(["run", "new.py", "--input", "{}", "--json"]).expect(0);
    assert!(ended.out.contains("\"n\":1") || ended.out.contains("\"n\": 1"), "{}", ended.out);
}

#[test]
fn what_is_no_old_workflow_is_refused_and_nothing_is_overwritten() {
    let desk = Desk::with("old.json", OLD);
    desk.write("list.json", "[1, 2]");
    desk.write("broken.json", "{");
    desk.write("new.py", "# mine");
    desk.run(["convert", "list.json"]).expect(2).says(&["list.json", "no `nodes`"]);
    desk.run(["convert", "broken.json"]).expect(2).says(&["broken.json is not JSON"]);
    desk.run(["convert", "missing.json"]).expect(2).says(&["cannot read missing.json"]);
    let ended = desk.run(["convert", "old.json", "-o", "new.py"]).expect(2);
    ended.says(&["new.py is there already", "name a new file"]);
    assert_eq!(std::fs::read_to_string(desk.path("new.py")).unwrap(), "# mine");
}
