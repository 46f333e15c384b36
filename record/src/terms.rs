//! The closed vocabularies of the record: every `enum` of the published schema, one Rust enum each.
//!
//! One word per thing: config, logs, API and docs use [`as_str`](Lane::as_str) of these.

use serde::{Deserialize, Serialize};

/// An enum whose variants carry the schema's word.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] #[serde(rename = $word)] $variant,)+
        }
        impl $name {
            /// Every value, in the schema's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The schema's word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

vocabulary! {
    /// Where the record stands in its life.
    State {
        Provisional = "provisional",
        Final = "final",
        Amended = "amended",
        Withdrawn = "withdrawn",
    }
}

vocabulary! {
    /// `Medium` of the published schema.
    Medium {
        Voice = "voice",
        Text = "text",
        Form = "form",
        Email = "email",
        Letter = "letter",
        WalkIn = "walk_in",
        Sensor = "sensor",
        Transfer = "transfer",
    }
}

vocabulary! {
    /// `DiversionSource` of the published schema.
    DiversionSource {
        HistoryInfo = "history-info",
        Diversion = "diversion",
        RedirectingIsup = "redirecting-isup",
    }
}

vocabulary! {
    /// The lane a caller waits in.
    Lane {
        Standard = "standard",
        PriorityRep = "priority_rep",
        Enterprise = "enterprise",
        Elderly = "elderly",
        Language = "language",
        Transfer110 = "transfer_110",
        LeaderDay = "leader_day",
        Crisis = "crisis",
    }
}

vocabulary! {
    /// `EndBy` of the published schema.
    EndBy {
        Caller = "caller",
        Agent = "agent",
        Network = "network",
        Gateway = "gateway",
    }
}

vocabulary! {
    /// How the call ended for the citizen: the source of the connect rate.
    Outcome {
        Answered = "answered",
        AbandonedQueue = "abandoned_queue",
        AbandonedRing = "abandoned_ring",
        Blocked = "blocked",
        Overflow = "overflow",
        Failed = "failed",
        CallbackPromised = "callback_promised",
    }
}

vocabulary! {
    /// `TransferKind` of the published schema.
    TransferKind {
        Blind = "blind",
        Attended = "attended",
        ThreeWay = "three_way",
        Emergency = "emergency",
    }
}

vocabulary! {
    /// `MessageFrom` of the published schema.
    MessageFrom {
        Reporter = "reporter",
        Agent = "agent",
        Bot = "bot",
        System = "system",
    }
}

vocabulary! {
    /// `MessageKind` of the published schema.
    MessageKind {
        Text = "text",
        Image = "image",
        Voice = "voice",
        Video = "video",
        File = "file",
        Location = "location",
        Link = "link",
        Event = "event",
    }
}

vocabulary! {
    /// `ReporterKind` of the published schema.
    ReporterKind {
        Natural = "natural",
        Legal = "legal",
        OtherOrg = "other_org",
        Official = "official",
        Anonymous = "anonymous",
    }
}

vocabulary! {
    /// GB/T 2261.1.
    Gender {
        Unknown = "0",
        Male = "1",
        Female = "2",
        NotStated = "9",
    }
}

vocabulary! {
    /// What sort of number it is under the Chinese numbering plan.
    PhoneKind {
        Mobile = "mobile",
        Fixed = "fixed",
        TollFree = "toll_free",
        SharedCost = "shared_cost",
        ServiceShort = "service_short",
        Iot = "iot",
        Foreign = "foreign",
        Private = "private",
        Unknown = "unknown",
    }
}

vocabulary! {
    /// `Presentation` of the published schema.
    Presentation {
        Allowed = "allowed",
        Restricted = "restricted",
        Unavailable = "unavailable",
    }
}

vocabulary! {
    /// How far a number may be trusted as the identity of the person.
    Trust {
        NetworkAsserted = "network_asserted",
        PreferredUnverified = "preferred_unverified",
        FromOnly = "from_only",
        SelfDeclared = "self_declared",
        VerifiedOtp = "verified_otp",
        None = "none",
    }
}

vocabulary! {
    /// `Involved` of the published schema.
    Involved {
        Myself = "self",
        OnBehalf = "on_behalf",
        Bystander = "bystander",
    }
}

vocabulary! {
    /// `RepresentativeKind` of the published schema.
    RepresentativeKind {
        NpcDeputy = "npc_deputy",
        CppccMember = "cppcc_member",
        PartyDelegate = "party_delegate",
    }
}

vocabulary! {
    /// `RepresentativeLevel` of the published schema.
    RepresentativeLevel {
        National = "national",
        Region = "region",
        City = "city",
        County = "county",
        Township = "township",
    }
}

vocabulary! {
    /// `ConfidentialLevel` of the published schema.
    ConfidentialLevel {
        Open = "open",
        NoDisclosure = "no_disclosure",
        Sealed = "sealed",
    }
}

vocabulary! {
    /// `ReplyBy` of the published schema.
    ReplyBy {
        Phone = "phone",
        Sms = "sms",
        Channel = "channel",
        None = "none",
    }
}

vocabulary! {
    /// `ListName` of the published schema.
    ListName {
        Block = "block",
        Allow = "allow",
        Representative = "representative",
        Enterprise = "enterprise",
        Watch = "watch",
        Leader = "leader",
    }
}

vocabulary! {
    /// `ListEffect` of the published schema.
    ListEffect {
        None = "none",
        Reject = "reject",
        Limit = "limit",
        DivertVoiceMsg = "divert_voice_msg",
        Priority = "priority",
        Annotate = "annotate",
    }
}

vocabulary! {
    /// `RequestKind` of the published schema.
    RequestKind {
        Consult = "consult",
        Help = "help",
        Complain = "complain",
        ReportViolation = "report_violation",
        Suggest = "suggest",
        Praise = "praise",
        Other = "other",
    }
}

vocabulary! {
    /// `ProvenanceBy` of the published schema.
    ProvenanceBy {
        Caller = "caller",
        Agent = "agent",
        Asr = "asr",
        Nlp = "nlp",
        Rule = "rule",
        Channel = "channel",
        Carrier = "carrier",
        Import = "import",
    }
}

vocabulary! {
    /// `Urgency` of the published schema.
    Urgency {
        Normal = "normal",
        Urgent = "urgent",
        VeryUrgent = "very_urgent",
        Emergency = "emergency",
    }
}

vocabulary! {
    /// `CoordinateSystem` of the published schema.
    CoordinateSystem {
        Wgs84 = "wgs84",
        Gcj02 = "gcj02",
        Bd09 = "bd09",
        Cgcs2000 = "cgcs2000",
    }
}

vocabulary! {
    /// `SubjectKind` of the published schema.
    SubjectKind {
        Unit = "unit",
        Enterprise = "enterprise",
        Person = "person",
        Facility = "facility",
        Vehicle = "vehicle",
        Other = "other",
    }
}

vocabulary! {
    /// `AttachmentKind` of the published schema.
    AttachmentKind {
        Recording = "recording",
        Transcript = "transcript",
        Image = "image",
        Video = "video",
        Voice = "voice",
        Document = "document",
        Screenshot = "screenshot",
        Other = "other",
    }
}

vocabulary! {
    /// `Access` of the published schema.
    Access {
        Open = "open",
        Restricted = "restricted",
        Sealed = "sealed",
    }
}

vocabulary! {
    /// `Scan` of the published schema.
    Scan {
        Clean = "clean",
        Infected = "infected",
        NotScanned = "not_scanned",
    }
}

vocabulary! {
    /// `Speaker` of the published schema.
    Speaker {
        Reporter = "reporter",
        Agent = "agent",
        Third = "third",
        Bot = "bot",
    }
}

vocabulary! {
    /// `Acceptability` of the published schema.
    Acceptability {
        Accept = "accept",
        AnsweredNow = "answered_now",
        NotAccepted = "not_accepted",
        RedirectLegal = "redirect_legal",
        RedirectEmergency = "redirect_emergency",
        NeedsMore = "needs_more",
        Spam = "spam",
    }
}

vocabulary! {
    /// `OnlineClass` of the published schema.
    OnlineClass {
        Vent = "vent",
        Legal = "legal",
        PublicOpinion = "public_opinion",
        Livelihood = "livelihood",
    }
}

vocabulary! {
    /// `RelationKind` of the published schema.
    RelationKind {
        SameIncident = "same_incident",
        SameReporterSameMatter = "same_reporter_same_matter",
        SameReporter = "same_reporter",
        Supersedes = "supersedes",
        FollowUpOf = "follow_up_of",
        MergedInto = "merged_into",
        CallbackOf = "callback_of",
    }
}

vocabulary! {
    /// `AlertKind` of the published schema.
    AlertKind {
        ManyReporters = "many_reporters",
        OneReporterMany = "one_reporter_many",
        FrequentCommon = "frequent_common",
        LastYearTop5 = "last_year_top5",
        Surge = "surge",
        Sensitive = "sensitive",
    }
}

vocabulary! {
    /// `RoutingRole` of the published schema.
    RoutingRole {
        Lead = "lead",
        Assist = "assist",
    }
}

vocabulary! {
    /// `EvaluationMethod` of the published schema.
    EvaluationMethod {
        Ivr = "ivr",
        Sms = "sms",
        Channel = "channel",
        Agent = "agent",
    }
}

vocabulary! {
    /// `PushKind` of the published schema.
    PushKind {
        PolicySms = "policy_sms",
        Receipt = "receipt",
        Progress = "progress",
        CallbackNotice = "callback_notice",
    }
}

vocabulary! {
    /// `Consent` of the published schema.
    Consent {
        Given = "given",
        Statutory = "statutory",
        Refused = "refused",
    }
}

vocabulary! {
    /// `PrivacyBasis` of the published schema.
    PrivacyBasis {
        Pipl133StatutoryDuty = "pipl13_3_statutory_duty",
        Pipl134Emergency = "pipl13_4_emergency",
        Pipl131Consent = "pipl13_1_consent",
    }
}

vocabulary! {
    /// Who may see what: the record is `sealed` inside the node.
    View {
        Sealed = "sealed",
        Dispatch = "dispatch",
        Command = "command",
        Region = "region",
        Statistics = "statistics",
    }
}

vocabulary! {
    /// `SignatureAlgorithm` of the published schema.
    SignatureAlgorithm {
        ES256 = "ES256",
        EdDSA = "EdDSA",
        SM2SM3 = "SM2SM3",
    }
}
