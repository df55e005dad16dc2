//! Reading a journal whole: from a file, or from the admin port of a sandbox that runs.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Url, redirect};
use serde_json::Value;

use super::admin_port;
use super::exit::Failure;
use super::say;

/// The longest journal that is read. A sandbox keeps a quarter of it.
const MOST: u64 = 256 * 1024 * 1024;
/// So many entries are on a page of the admin port.
const PAGE: usize = 1_000;
/// How long the admin port may take for a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// The journal in a file, one entry a line.
pub(super) fn saved(path: &Path) -> Result<String, Failure> {
    let cannot = |fault: std::io::Error| Failure::file("read", path, &fault);
    let mut text = String::new();
    let read = File::open(path).map_err(cannot)?.take(MOST + 1).read_to_string(&mut text).map_err(cannot)?;
    if read as u64 > MOST {
        return Err(Failure::usage(format!("{}: expected at most {MOST} bytes of journal", path.display())));
    }
    warn_of_pages(path, &text);
    Ok(text)
}

/// `GET /journal` without `all` ends after a page, and nothing in the file says that there was more.
pub(super) fn warn_of_pages(path: &Path, text: &str) {
    let entries = text.lines().filter(|line| !line.contains(r#""kind":"gap""#)).count();
    if entries > 0 && entries.is_multiple_of(PAGE) {
        let hint =
            "so many fit on a page of GET /journal: is that all? GET /journal?all gives the whole journal";
        say(&format!("{}: {entries} entries; {hint}", path.display()));
    }
}

/// The journal of the sandbox whose admin port is at `url`, which `option` names, one entry a line.
pub(super) fn fetched(option: &str, url: &str, token_file: Option<&Path>) -> Result<String, Failure> {
    let hint = || Failure::usage(format!("{option}: expected a URL like http://127.0.0.1:8444"));
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "http").ok_or_else(hint)?;
    let mut client = Client::builder().tls_certs_only([]).no_proxy().redirect(redirect::Policy::none());
    if let Some(path) = token_file {
        let bearer = format!("Bearer {}", admin_port::token(path)?.as_str());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(Failure::usage)?;
        bearer.set_sensitive(true);
        client = client.default_headers([(AUTHORIZATION, bearer)].into_iter().collect());
    }
    let client = client.timeout(PATIENCE).build().map_err(Failure::internal)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let base = url.as_str().trim_end_matches('/').to_owned();
    runtime.block_on(read(&client, &base)).map_err(Failure::resource)
}

/// Page after page, until there is none.
pub(super) async fn read(client: &Client, base: &str) -> Result<String, String> {
    let (mut lines, mut after) = (String::new(), 0);
    loop {
        let answer = client.get(format!("{base}/journal?after={after}")).send().await;
        let answer = answer.map_err(|fault| admin_port::no_answer(base, &fault))?;
        if !answer.status().is_success() {
            let hint = "--admin-token-file names the file that serve was given";
            return Err(format!("the admin port answers {}; {hint}", answer.status()));
        }
        let page = answer.text().await.map_err(|fault| fault.without_url().to_string())?;
        let last = page.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
        let Some(last) = last else { return Ok(lines) };
        let last = last["n"].as_u64().filter(|last| *last > after);
        after = last.ok_or("the admin port told no numbers that grow: is it that of a d1sim?")?;
        lines.push_str(&page);
        if lines.len() as u64 > MOST {
            return Err(format!("expected at most {MOST} bytes of journal"));
        }
    }
}
