//! `DELETE /tokens/{name}`, `crm token revoke`: the end of a token.

use crate::base::error::{Code, Error, Result, quoted};
use crate::model::query;
use crate::model::record::Value;
use crate::model::terms::Terms;
use crate::store::contract::{Extent, Kept, Request, Write};
use crate::store::transaction::Transaction;

/// The end of the token with a name. The last token stays: without one, everybody could read and write.
#[derive(Clone, Debug)]
pub struct RevokeToken {
    name: String,
}

impl RevokeToken {
    /// The end of the token with this name.
    pub fn new(name: String) -> RevokeToken {
        RevokeToken { name }
    }
}

impl Write for RevokeToken {
    type Done = ();

    const CHANGES_TOKENS: bool = true;

    fn extent(&self) -> Extent {
        Extent::One
    }

    async fn run<T: Transaction>(&mut self, tx: &mut T, _terms: &Terms) -> Result<()> {
        let name = self.name.as_str();
        // Locked: of two tokens that are revoked at the same time, one has to stay.
        let sql = format!("SELECT name FROM crm_tokens{}", T::LOCKING);
        let names = tx.query(&sql, &[]).await?;
        let is_it =
            |row: &Vec<Value>| matches!(row.first(), Some(Value::Text(text)) if **text == *name);
        if !names.iter().any(is_it) {
            return Err(Error::new(
                Code::NotFound,
                format!("no token has the name {}", quoted(name)),
            ));
        }
        if names.len() == 1 {
            return Err(Error::new(
                Code::Conflict,
                format!(
                    "{name} is the last token, and without one everybody could read and write; make another first, then \
                     revoke this one"
                ),
            ));
        }
        let sql = "DELETE FROM crm_tokens WHERE name = $1";
        tx.execute(sql, &[name.into()]).await?;
        Ok(())
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("revoked")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "revoked").then_some(()))
    }

    fn request(&self) -> Request {
        Request {
            method: "DELETE",
            path: format!("/tokens/{}", query::escape(&self.name)),
            body: None,
        }
    }

    fn word(_status: u16) -> &'static str {
        "revoked"
    }
}
