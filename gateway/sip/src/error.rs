//! Why a command could not be carried out. What peers do wrong is never an error here: it is answered.

/// The answer to a command that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The call is over, or never was; its terminal event says why.
    #[error("there is no such call")]
    NoSuchCall,
    /// The call is not in a state where this makes sense (answering twice, an offer while one is open).
    #[error("the call is not in a state for this")]
    WrongState,
    /// No phone of that agent is registered.
    #[error("no phone of this agent is registered")]
    NotRegistered,
    /// The trunk is not configured, or has no gateway to call through.
    #[error("there is no gateway to call through")]
    NoGateway,
    /// The target's URI is no SIP address with a literal host.
    #[error("the target is no address that can be called")]
    BadTarget,
    /// As many calls as the configuration allows.
    #[error("the limit of calls is reached")]
    TooManyCalls,
    /// A header name or value that would break the message.
    #[error("a header is not fit to be sent")]
    BadHeader,
    /// The call was handed on too often already (`Invitation::max_forwards` is 0).
    #[error("the call was handed on too often")]
    TooManyHops,
    /// No local address for the transport the phone uses.
    #[error("no local address for this transport")]
    NoLocalAddress,
}
