use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::{Dpan, GatewayId, MerchantId, NetworkToken, TokenId, TokenState};
use crate::receiver::MemoryStore;
use crate::receiver::order::Position;
use crate::receiver::store::MemberPositions;

const DPAN: &str = "9999991234567890";
const KEY: [u8; 32] = [7; 32];

fn token(id: &str) -> TokenKey {
    TokenKey {
        gateway_id: GatewayId::new("MGW_000001").expect("an id"),
        merchant_id: MerchantId::new("10610027312").expect("an id"),
        token_id: TokenId::new(id).expect("an id"),
    }
}

fn suspended() -> TokenRecord {
    TokenRecord {
        state: Some(TokenState::Suspended),
        network_token: Some(NetworkToken::new(Dpan::new(DPAN), "1131")),
        ..TokenRecord::default()
    }
}

/// A folder, and the file in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tokens.redb");
    (folder, file)
}

fn open(file: &Path) -> Result<DurableStore, DurableStoreError> {
    DurableStore::open(file, &StoreKey::new(KEY))
}

fn position() -> impl Strategy<Value = Position> {
    let stamp = prop::option::of("2026-0[1-9]-1[0-9]T10:00:0[0-9]Z");
    let parts = (prop::option::of(0..5_u64), stamp, any::<bool>());
    parts.prop_map(|(sequence, timestamp, fetched)| Position { sequence, timestamp, fetched })
}

fn record() -> impl Strategy<Value = TokenRecord> {
    let text = || prop::option::of("[0-9]{4}");
    let state = prop::option::of(prop::sample::select(vec!["ACTIVE", "SUSPENDED", "DELETED", "RESTING"]));
    let dpan = prop::option::of(("[0-9]{16}", "[0-9]{4}"));
    let at = prop::collection::vec(position(), 7);
    (state, text(), text(), text(), text(), dpan, at).prop_map(
        |(state, card, card_exp, last, exp, dpan, at)| TokenRecord {
            state: state.map(|state| TokenState::from(state.to_owned())),
            card_last_digits: card,
            card_expiry_date: card_exp,
            token_last_digits: last,
            token_expiry_date: exp,
            network_token: dpan.map(|(dpan, exp)| NetworkToken::new(Dpan::new(dpan), exp)),
            position: at[0].clone(),
            member_positions: MemberPositions {
                state: at[1].clone(),
                card_last_digits: at[2].clone(),
                card_expiry_date: at[3].clone(),
                token_last_digits: at[4].clone(),
                token_expiry_date: at[5].clone(),
                network_token: at[6].clone(),
            },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn it_keeps_what_the_store_in_memory_keeps_and_still_has_it_when_opened_again(
        written in prop::collection::vec((0..3_usize, record()), 0..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (_folder, file) = place();
        let keys = [token("a"), token("b"), token("c")];
        let memory = MemoryStore::new();
        runtime.block_on(async {
            let store = open(&file).expect("a store");
            for (n, record) in &written {
                store.apply(&keys[*n], record).await.expect("written");
                memory.apply(&keys[*n], record).await.expect("written");
            }
        });
        let store = open(&file).expect("the store again");
        for key in &keys {
            let (kept, wanted) = runtime.block_on(async { (store.get(key).await, memory.get(key).await) });
            prop_assert_eq!(kept.expect("read"), wanted.expect("read"));
        }
    }
}

#[tokio::test]
async fn nothing_that_is_stored_is_in_the_file_in_clear() {
    let (_folder, file) = place();
    let store = open(&file).expect("a store");
    store.apply(&token("a"), &suspended()).await.expect("written");
    assert_eq!(store.count().expect("a number"), 1);
    drop(store);
    let bytes = std::fs::read(&file).expect("the file");
    for secret in [DPAN.as_bytes(), b"SUSPENDED", &KEY] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    // The search would have found it.
    assert!(bytes.windows(11).any(|window| window == b"10610027312"));
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, file) = place();
    open(&file).expect("a store");
    assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let (folder, file) = place();
    let opened = open(&file).expect("a store");
    assert!(matches!(open(&file), Err(DurableStoreError::InUse { path }) if path == file));
    drop(opened);
    let other_key = DurableStore::open(&file, &StoreKey::new([8; 32]));
    assert!(matches!(other_key, Err(DurableStoreError::WrongKey { path }) if path == file));
    let text = folder.path().join("text");
    std::fs::write(&text, "not a database ".repeat(1000)).expect("a file");
    assert!(matches!(open(&text), Err(DurableStoreError::Foreign { path }) if path == text));
    let foreign = folder.path().join("foreign.redb");
    let database = Database::create(&foreign).expect("a database");
    let writing = database.begin_write().expect("a transaction");
    writing.open_table(TableDefinition::<u32, u32>::new("else")).expect("a table");
    writing.commit().expect("committed");
    drop(database);
    assert!(matches!(open(&foreign), Err(DurableStoreError::Foreign { path }) if path == foreign));
    let nowhere = folder.path().join("no/such/folder");
    assert!(matches!(open(&nowhere), Err(DurableStoreError::File { path, .. }) if path == nowhere));
}

#[tokio::test]
async fn a_store_that_was_cut_off_or_changed_is_damaged_and_not_foreign() {
    let (_folder, file) = place();
    let store = open(&file).expect("a store");
    store.apply(&token("a"), &suspended()).await.expect("written");
    drop(store);
    let good = std::fs::read(&file).expect("the file");
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at..at + 64].fill(0xa5);
        bytes
    };
    for (what, bytes) in [
        ("cut to a head", good[..100].to_vec()),
        ("cut in the middle", good[..good.len() / 2].to_vec()),
        ("another head", changed(16)),
    ] {
        std::fs::write(&file, bytes).expect("written");
        let fault = open(&file).expect_err(what);
        assert!(
            matches!(&fault, DurableStoreError::Corrupted { path } if *path == file),
            "{what}: {fault:?}"
        );
        assert!(fault.to_string().contains("restore it from its backup"), "{what}: {fault}");
    }
    std::fs::write(&file, &good).expect("written");
    assert_eq!(open(&file).expect("a store").get(&token("a")).await.expect("read"), Some(suspended()));
}

#[tokio::test]
async fn a_row_that_was_changed_or_moved_to_another_token_is_refused() {
    let (_folder, file) = place();
    let store = open(&file).expect("a store");
    store.apply(&token("a"), &suspended()).await.expect("written");
    let writing = store.inner.database.begin_write().expect("a transaction");
    {
        let mut tokens = writing.open_table(TOKENS).expect("the table");
        let row = tokens.get(columns(&token("a"))).expect("read").expect("a row").value().to_vec();
        tokens.insert(columns(&token("b")), row.as_slice()).expect("moved");
        let mut changed = row.clone();
        changed[20] ^= 1;
        tokens.insert(columns(&token("c")), changed.as_slice()).expect("changed");
        tokens.insert(columns(&token("d")), &row[..5]).expect("cut off");
    }
    writing.commit().expect("committed");
    assert_eq!(store.get(&token("a")).await.expect("read"), Some(suspended()));
    for id in ["b", "c", "d"] {
        let fault = store.get(&token(id)).await.expect_err("damaged");
        assert!(fault.to_string().contains("damaged"), "{id}: {fault}");
        store.apply(&token(id), &suspended()).await.expect_err("nothing is written over it");
        assert!(store.forget(&token(id)).await.expect("forgotten"), "{id}");
        assert_eq!(store.get(&token(id)).await.expect("read"), None, "{id}");
        store.apply(&token(id), &suspended()).await.expect("written anew");
    }
    assert!(!store.forget(&token("e")).await.expect("nothing to forget"));
}

#[test]
fn a_key_is_new_each_time_and_never_shown() {
    let (one, other) = (StoreKey::generate().expect("a key"), StoreKey::generate().expect("a key"));
    assert_ne!(one.expose(), other.expose());
    assert_eq!(format!("{one:?}"), "StoreKey(***)");
}
