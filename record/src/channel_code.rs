//! The channel codes and their two digits in `record_no`.

/// Every channel: two-digit code in `record_no`, code, Chinese name, English name. The phone comes first.
pub const CHANNELS: [(&str, &str, &str, &str); 25] = [
    ("01", "voice", "电话", "telephone"),
    ("02", "wechat_mp", "微信公众号", "WeChat official account"),
    ("03", "wechat_miniapp", "微信小程序", "WeChat mini program"),
    ("04", "wechat_kf", "微信客服", "WeChat customer service"),
    ("05", "wecom_app", "企业微信", "WeCom"),
    ("06", "weibo", "微博", "Weibo"),
    ("07", "douyin", "抖音", "Douyin"),
    ("08", "kuaishou", "快手", "Kuaishou"),
    ("09", "toutiao_miniapp", "今日头条", "Toutiao"),
    ("10", "alipay", "支付宝", "Alipay"),
    ("11", "dingtalk", "钉钉", "DingTalk"),
    ("12", "feishu", "飞书", "Feishu"),
    ("13", "qqbot", "QQ", "QQ"),
    ("14", "rcs", "5G消息", "RCS messaging"),
    ("15", "email", "电子邮件", "e-mail"),
    ("16", "portal", "政府网站", "government portal"),
    ("17", "webchat", "网页在线客服", "web chat"),
    ("18", "app", "城市APP", "city app"),
    ("19", "webrtc", "网页音视频通话", "web call"),
    ("20", "telegram", "Telegram", "Telegram"),
    ("21", "exchange", "平台交换", "platform exchange"),
    ("22", "grid", "网格员上报", "grid report"),
    ("23", "representative", "两代表一委员履职通道", "representatives' channel"),
    ("24", "counter", "来信来访", "letters and visits"),
    ("25", "sms", "短信", "SMS"),
];

/// The two digits of a channel code in `record_no`; `None` for a code that does not exist.
pub fn digits(code: &str) -> Option<&'static str> {
    CHANNELS.iter().find(|(_, known, ..)| *known == code).map(|(digits, ..)| *digits)
}

/// The Chinese and English names of a channel code.
pub fn names(code: &str) -> Option<(&'static str, &'static str)> {
    CHANNELS.iter().find(|(_, known, ..)| *known == code).map(|(_, _, zh, en)| (*zh, *en))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_dense_and_unique() {
        for (i, (digits, ..)) in CHANNELS.iter().enumerate() {
            assert_eq!(*digits, format!("{:02}", i + 1));
        }
        assert_eq!(digits("wechat_mp"), Some("02"));
        assert_eq!(digits("fax"), None);
    }
}
