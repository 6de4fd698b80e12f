//! [`Catalog`]: the workflows that people keep, as the API shows them.

use std::io;
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::broadcast;
use uuid::Uuid;
use weaver_api::Page;
use weaver_api::execution::WorkflowSource;
use weaver_api::workflow::{Layout, NewWorkflow, Origin, Workflow, WorkflowPatch, WorkflowVersion};
use weaver_core::Hash;
use weaver_runtime::executions::{Once, Refused};
use weaver_runtime::now;
use weaver_store::{
    Accepted, Changed, Idempotency, Revision, Store, WorkflowChange, WorkflowId, WorkflowKey,
    WorkflowText,
};

use crate::folder::{Change, Folder, Written};
use crate::http::Refusal;
use crate::wire;

/// The workflows of a store's tenant.
pub struct Catalog {
    store: Store,
    folder: Option<Arc<Folder>>,
    changes: Changes,
}

/// Tells those who look at workflows which have changed.
pub type Changes = broadcast::Sender<WorkflowId>;

/// Characters of a name.
const NAME_MAX: usize = 200;
/// A text that nobody would edit on a canvas.
const SOURCE_BYTES_MAX: usize = 2 << 20;

impl Catalog {
    /// Of a store's tenant, and of a folder.
    pub fn new(store: Store, folder: Option<Arc<Folder>>, changes: Changes) -> Self {
        Catalog { store, folder, changes }
    }

    /// Works with the folder, if there is one; files may be slow.
    async fn in_folder<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> T + Send + 'static,
    ) -> Option<T> {
        let folder = self.folder.clone()?;
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        Some(done.expect("reading files does not panic"))
    }

    /// The workflow of an id that is kept in the folder.
    async fn file(&self, id: &str) -> Result<Option<Workflow>, Refusal> {
        let id = self.key(id)?.id;
        Ok(self.in_folder(move |folder| folder.get(id)).await.flatten())
    }

    fn tell(&self, id: WorkflowId) {
        // Nobody may be listening.
        let _ = self.changes.send(id);
    }

    /// Workflows: on the first page those of the folder by path, then the others, the
    /// newest first, from the one before an id on. With a text, those that have it in their
    /// name, file or id, in large or small letters.
    pub async fn list(
        &self,
        mut before: Option<WorkflowId>,
        limit: usize,
        text: Option<&str>,
    ) -> Result<Page<Workflow>, Refusal> {
        let text = text.unwrap_or_default().to_lowercase();
        let mut items = Vec::new();
        if before.is_none() {
            let files = self.in_folder(Folder::list).await.unwrap_or_default();
            items.extend(files.into_iter().map(without_text).filter(|file| mentions(file, &text)));
        }
        let (library, tenant) = (self.store.library(), self.store.tenant());
        let page = if text.is_empty() { limit + 1 } else { LOOKED_AT_PAGE };
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let next = 'looking: loop {
            let rows = library.workflows(tenant, before, page).await.map_err(Refused::from)?;
            let is_last = rows.len() < page;
            for kept in rows {
                let workflow = shown(&kept, None);
                if mentions(&workflow, &text) {
                    if found.len() == limit {
                        break 'looking before;
                    }
                    found.push(workflow);
                }
                before = Some(kept.key.id);
                looked_at += 1;
            }
            match looked_at {
                _ if is_last => break None,
                LOOKED_AT_MAX.. => break before,
                _ => {}
            }
        };
        items.append(&mut found);
        Ok(Page { items, next_cursor: next.map(|next| next.to_string()) })
    }

    /// One workflow with its newest text.
    pub async fn get(&self, id: &str) -> Result<Workflow, Refusal> {
        if let Some(file) = self.file(id).await? {
            return Ok(file);
        }
        let (workflow, newest) = self.find(id).await?;
        Ok(shown(&workflow, Some(&newest)))
    }

    /// The texts that a workflow has had, the newest first; of a file the one that it has.
    pub async fn versions(
        &self,
        id: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Page<WorkflowVersion>, Refusal> {
        if let Some(file) = self.file(id).await? {
            let now = Some(file).filter(|_| before.is_none()).map(version_of_file);
            return Ok(Page { items: now.into_iter().collect(), next_cursor: None });
        }
        let key = self.find(id).await?.0.key;
        let found = self.store.library().revisions(key, before, limit + 1).await;
        let mut found = found.map_err(Refused::from)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| more).map(|last| last.version.to_string());
        Ok(Page { items: found.into_iter().map(version).collect(), next_cursor })
    }

    /// Keeps a new workflow. The same request again gives the same one.
    pub async fn create(&self, new: NewWorkflow, once: Option<Once>) -> Result<Workflow, Refusal> {
        check_name(&new.name)?;
        let file = new.file.clone().unwrap_or_else(|| file_of(&new.name));
        check_text(&file, &new.source)?;
        if self.folder.is_some() {
            return self.create_file(file, new).await;
        }
        let (id, time) = (WorkflowId::generate(), now());
        let text = WorkflowText {
            file: file.as_str().into(),
            source: new.source.into(),
            script: new.script.map(Into::into),
        };
        let workflow = weaver_store::Workflow {
            key: WorkflowKey { tenant: self.store.tenant(), id },
            name: new.name.into(),
            version: 1,
            revision: 1,
            file: text.file.clone(),
            hash: hash(&text),
            layout: encode(&new.layout),
            created: time,
            updated: time,
        };
        let answer = id.0.as_bytes().to_vec();
        let once = once.map(|once| Idempotency { key: once.key, body: once.body, answer, time });
        let accepted =
            self.store.add_workflow(workflow, text, once).await.map_err(Refused::from)?;
        let id = match accepted {
            Accepted::New => {
                self.tell(id);
                id
            }
            Accepted::Repeat(first) => WorkflowId(Uuid::from_slice(&first).unwrap_or_default()),
        };
        self.get(&id.to_string()).await
    }

    /// Changes a workflow that has this version; `is_header` says where the version
    /// stood in the request.
    pub async fn change(
        &self,
        id: &str,
        expected: u64,
        is_header: bool,
        patch: WorkflowPatch,
    ) -> Result<Workflow, Refusal> {
        if let Some(file) = self.file(id).await? {
            return self.change_file(&file, expected, is_header, patch).await;
        }
        let (old, newest) = self.find(id).await?;
        if let Some(name) = &patch.name {
            check_name(name)?;
        }
        let mut text = newest.text;
        let has_text = patch.file.is_some() || patch.source.is_some() || patch.script.is_some();
        text.file = patch.file.map_or(text.file, Into::into);
        text.source = patch.source.map_or(text.source, Into::into);
        text.script = patch.script.map_or(text.script, |script| script.map(Into::into));
        check_text(&text.file, &text.source)?;
        let hash = hash(&text);
        let change = WorkflowChange {
            key: old.key,
            version: expected,
            name: patch.name.map(Into::into),
            text: has_text.then_some((text, hash)),
            layout: patch.layout.as_ref().map(encode),
            time: now(),
        };
        let changed = self.store.library().change_workflow(change).await;
        done(id, changed.map_err(Refused::from)?, expected, is_header)?;
        self.tell(old.key.id);
        self.get(id).await
    }

    /// A new file. That there is none of its name yet makes a repeat harmless.
    async fn create_file(&self, file: String, new: NewWorkflow) -> Result<Workflow, Refusal> {
        let change = Change {
            source: Some(new.source),
            script: new.script.map(Some),
            layout: Some(new.layout).filter(|layout| !layout.is_empty()),
        };
        let name = file.clone();
        let made = self.in_folder(move |folder| folder.create(&name, &change)).await;
        made.expect("there is a folder").map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let detail = format!("the folder has a file {file} already");
                Refusal::new(StatusCode::CONFLICT, "state_conflict", detail)
            }
            io::ErrorKind::InvalidInput => {
                Refusal::invalid(error.to_string()).at("/file", error.to_string())
            }
            _ => unwritable(&error),
        })
    }

    async fn change_file(
        &self,
        file: &Workflow,
        expected: u64,
        is_header: bool,
        patch: WorkflowPatch,
    ) -> Result<Workflow, Refusal> {
        let renames = patch.name.as_ref().is_some_and(|name| *name != file.name)
            || patch.file.as_ref().is_some_and(|name| *name != file.file);
        if renames {
            let detail = "a workflow in a folder is called as its file: rename that";
            return Err(Refusal::invalid(detail).at("/name", detail));
        }
        check_text(&file.file, patch.source.as_deref().unwrap_or_default())?;
        let id = self.key(&file.id)?.id;
        let change = Change { source: patch.source, script: patch.script, layout: patch.layout };
        let written = self.in_folder(move |folder| folder.change(id, expected, &change)).await;
        let written = written.expect("there is a folder").map_err(|error| unwritable(&error))?;
        match written {
            None => Err(missing(&file.id)),
            Some(Written::Done(now)) => Ok(*now),
            Some(Written::Stale(now)) => Err(stale(now.version, expected, is_header)),
        }
    }

    /// Forgets a workflow.
    pub async fn remove(&self, id: &str, expected: Option<u64>) -> Result<(), Refusal> {
        if self.file(id).await?.is_some() {
            let detail = "the workflow is a file: delete that where it is";
            return Err(Refusal::new(StatusCode::CONFLICT, "state_conflict", detail));
        }
        let key = self.key(id)?;
        let removed = self.store.library().remove_workflow(key, expected).await;
        done(id, removed.map_err(Refused::from)?, expected.unwrap_or_default(), true)?;
        self.tell(key.id);
        Ok(())
    }

    /// A text of a workflow, to be executed.
    pub async fn source(
        &self,
        id: &str,
        wanted: Option<u64>,
        graph: Option<String>,
    ) -> Result<WorkflowSource, Refusal> {
        if let Some(file) = self.file(id).await? {
            return match wanted.is_none_or(|wanted| wanted == file.version) {
                true => Ok(WorkflowSource {
                    file: file.file,
                    source: file.source.unwrap_or_default(),
                    graph,
                    script: file.script,
                }),
                false => Err(stale(file.version, wanted.unwrap_or_default(), false)),
            };
        }
        let (workflow, newest) = self.find(id).await?;
        let text = match wanted.filter(|wanted| *wanted != newest.version) {
            None => newest.text,
            Some(wanted) => {
                let found = self.store.library().revisions(workflow.key, Some(wanted + 1), 1).await;
                let found = found.map_err(Refused::from)?.into_iter().next();
                let found = found.filter(|found| found.version == wanted).ok_or_else(|| {
                    let detail = format!("version {wanted} of the workflow brought no text");
                    Refusal::invalid(detail).at("/version", "see the workflow's versions")
                })?;
                found.text
            }
        };
        Ok(WorkflowSource {
            file: text.file.to_string(),
            source: text.source.to_string(),
            graph,
            script: text.script.map(|script| script.to_string()),
        })
    }

    async fn find(&self, id: &str) -> Result<(weaver_store::Workflow, Revision), Refusal> {
        let found = self.store.library().workflow(self.key(id)?).await;
        found.map_err(Refused::from)?.ok_or_else(|| missing(id))
    }

    fn key(&self, id: &str) -> Result<WorkflowKey, Refusal> {
        let id = id.parse().map_err(|_| missing(id))?;
        Ok(WorkflowKey { tenant: self.store.tenant(), id })
    }
}

fn done(id: &str, changed: Changed, expected: u64, is_header: bool) -> Result<(), Refusal> {
    match changed {
        Changed::Done(_) => Ok(()),
        Changed::Missing => Err(missing(id)),
        Changed::Stale(now) => Err(stale(now.version, expected, is_header)),
    }
}

fn stale(now: u64, expected: u64, is_header: bool) -> Refusal {
    let status = match is_header {
        true => StatusCode::PRECONDITION_FAILED,
        false => StatusCode::CONFLICT,
    };
    let detail =
        format!("the workflow has version {now} by now, the change was made to {expected}");
    Refusal::new(status, "version_conflict", detail)
        .with_help("read it again, and put both changes together")
        .with_version(now)
}

fn unwritable(error: &io::Error) -> Refusal {
    let detail = format!("the folder cannot be written to: {error}");
    Refusal::new(StatusCode::CONFLICT, "state_conflict", detail)
}

/// So many workflows are read for one answer, and so many at once.
const LOOKED_AT_MAX: usize = 2000;
const LOOKED_AT_PAGE: usize = 200;

/// Whether a text in small letters stands in what a workflow is known by.
fn mentions(workflow: &Workflow, text: &str) -> bool {
    let has = |part: &str| part.to_lowercase().contains(text);
    let path = workflow.path.as_deref().unwrap_or(&workflow.file);
    has(&workflow.name) || has(path) || has(&workflow.id)
}

fn without_text(file: Workflow) -> Workflow {
    Workflow { source: None, script: None, layout: Layout::default(), ..file }
}

fn version_of_file(file: Workflow) -> WorkflowVersion {
    WorkflowVersion {
        version: file.version,
        file: file.file,
        source: file.source.unwrap_or_default(),
        script: file.script,
        hash: file.hash,
        created_at: file.updated_at,
    }
}

fn missing(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no workflow `{id}`"))
}

fn shown(workflow: &weaver_store::Workflow, newest: Option<&Revision>) -> Workflow {
    let text = newest.map(|newest| &newest.text);
    let layout = newest.and_then(|_| serde_json::from_slice(&workflow.layout).ok());
    Workflow {
        id: workflow.key.id.to_string(),
        name: workflow.name.to_string(),
        file: workflow.file.to_string(),
        source: text.map(|text| text.source.to_string()),
        script: text.and_then(|text| text.script.as_ref()).map(ToString::to_string),
        layout: layout.unwrap_or_default(),
        version: workflow.version,
        revision: workflow.revision,
        hash: workflow.hash.to_hex(),
        created_at: workflow.created.into(),
        updated_at: workflow.updated.into(),
        origin: Origin::Database,
        path: None,
    }
}

fn version(revision: Revision) -> WorkflowVersion {
    WorkflowVersion {
        version: revision.version,
        file: revision.text.file.to_string(),
        source: revision.text.source.to_string(),
        script: revision.text.script.map(|script| script.to_string()),
        hash: revision.hash.to_hex(),
        created_at: revision.time.into(),
    }
}

/// What executions of a text are pinned to.
fn hash(text: &WorkflowText) -> Hash {
    wire::version_hash(&text.file, &text.source)
}

fn encode(layout: &Layout) -> Vec<u8> {
    serde_json::to_vec(layout).expect("a layout has a JSON form")
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let count = name.chars().count();
    match (1..=NAME_MAX).contains(&count) && !name.trim().is_empty() {
        true => Ok(()),
        false => {
            let detail = format!("a name has 1 to {NAME_MAX} characters");
            Err(Refusal::invalid(detail.clone()).at("/name", detail))
        }
    }
}

fn check_text(file: &str, source: &str) -> Result<(), Refusal> {
    if file.is_empty() || file.len() > NAME_MAX {
        let detail = format!("a file's name has 1 to {NAME_MAX} bytes");
        return Err(Refusal::invalid(detail.clone()).at("/file", detail));
    }
    if source.len() > SOURCE_BYTES_MAX {
        let detail = format!("a workflow's text has at most {} MiB", SOURCE_BYTES_MAX >> 20);
        return Err(Refusal::invalid(detail.clone()).at("/source", detail));
    }
    Ok(())
}

/// `Support triage` as `support_triage.py`.
fn file_of(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' });
    let word: String = letters.flat_map(char::to_lowercase).take(60).collect();
    match word.trim_matches('_') {
        "" => "workflow.py".into(),
        word => format!("{word}.py"),
    }
}

#[cfg(test)]
mod tests {
    use super::file_of;

    #[test]
    fn a_file_is_called_after_its_workflow() {
        assert_eq!(file_of("Support triage!"), "support_triage.py");
        assert_eq!(file_of("\u{65e5}\u{672c}"), "\u{65e5}\u{672c}.py");
        assert_eq!(file_of("../.."), "workflow.py");
    }
}
