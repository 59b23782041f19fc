//! `DELETE /tokens/{name}`, `crm token revoke`: revokes a token.

use serde_json::json;

use crate::base::error::{Code, Error, Result, quoted};
use crate::model::noun::Noun;
use crate::model::query;
use crate::model::terms::Terms;
use crate::model::value::Value;
use crate::operation::about::{
    ADMIN, About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, failure, message};
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;

/// Revokes the token with a name. The last token cannot be revoked, because without any token everyone could read and write.
#[derive(Clone, Debug)]
pub struct RevokeToken {
    name: String,
}

impl RevokeToken {
    /// Revokes the token with this name.
    pub fn new(name: String) -> RevokeToken {
        RevokeToken { name }
    }
}

impl Operation for RevokeToken {
    const ABOUT: &'static About = &About {
        of: Of::Tokens,
        methods: &[("DELETE", "revokeToken")],
        path: "/tokens/{name}",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Revoke a token",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "revoke",
            about: "Revoke tokens; they stop working at once",
            long: "",
            takes: &[CommandPart::Key(
                "The names of the tokens (old or old,older); - reads them from standard input",
            )],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm token create old --scope write > old",
                "crm token create new --scope write > new && crm token revoke old",
                "crm token create a --scope read > a && crm token create b --scope read > b && crm token revoke a,b",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<RevokeToken> {
        Ok(RevokeToken::new(asked.key.into()))
    }

    fn told(_noun: Option<&'static Noun>, (): ()) -> Told {
        Told::Message("Token revoked".into())
    }
}

fn describe() -> Described {
    let last = "ci is the last token; without any token everyone could read and write. Create another token first, then revoke this one";
    let about =
        "It stops working at once, and within 5 seconds on other servers of the same database.";
    Described::new(about)
        .parameters(vec![json!({
            "name": "name", "in": "path", "required": true, "schema": super::create_token::name(),
        })])
        .answers(200, message("The token is revoked.", "revoked", "Token revoked"))
        .answers(400, failure("A parameter was given.", &[]))
        .answers(
            404,
            failure(
                "No token has this name.",
                &[("missing", Error::new(Code::NotFound, "no token has the name \"ci\""))],
            ),
        )
        .answers(
            409,
            failure(
                "It is the last token. It cannot be revoked, because without any token everyone could read and write.",
                &[("last", Error::new(Code::Conflict, last))],
            ),
        )
}

impl Write for RevokeToken {
    type Done = ();

    const CHANGES_TOKENS: bool = true;

    fn extent(&self) -> WriteExtent {
        WriteExtent::One
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<()> {
        let name = self.name.as_str();
        // The rows are locked, so that one of the last two tokens stays if both are revoked at the same time.
        let sql = format!("SELECT name FROM crm_tokens{}", T::LOCKING);
        let names = ledger.tx.query(&sql, &[]).await?;
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
                    "{name} is the last token; without any token everyone could read and write. Create another token first, \
                     then revoke this one"
                ),
            ));
        }
        let sql = "DELETE FROM crm_tokens WHERE name = $1";
        ledger.tx.execute(sql, &[name.into()]).await?;
        Ok(())
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("revoked")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "revoked").then_some(()))
    }

    fn request(&self) -> HttpRequest {
        let path = Self::ABOUT.at(None, &query::escape(&self.name).to_string());
        HttpRequest::of(Self::ABOUT.methods[0].0, path)
    }

    fn word(_status: u16) -> &'static str {
        "revoked"
    }
}
