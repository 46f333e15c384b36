//! The envelopes of the platform: `Encrypt` in a request, the sealed reply in an answer.

use crate::channel::{Answer, Refusal, Sealed, Seed};
use crate::sign;
use crate::xml;

use super::{Config, HEAD_BYTES};

/// The text of `Encrypt`, exactly as it stands in the body; `None` where the body has none.
pub fn encrypt_of(body: &[u8]) -> Result<Option<String>, Refusal> {
    Ok(xml::read(body)?.text("Encrypt").map(str::to_owned))
}

/// Seals a passive reply; `None` for an account without a key.
pub fn seal(config: &Config, message: &str, seed: &Seed) -> Option<Sealed> {
    let head = seed.random.first_chunk::<HEAD_BYTES>()?;
    let encrypt = config.key.as_ref()?.seal(head, message, config.app_id.as_deref()?).ok()?;
    let timestamp = seed.timestamp();
    let signature = sign::sig4(config.token.expose(), &timestamp, &seed.nonce, &encrypt);
    let body = format!(
        "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
         <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{}]]></Nonce></xml>",
        seed.nonce
    );
    Some(Sealed { encrypt, signature, answer: Answer::with("text/xml", body) })
}
