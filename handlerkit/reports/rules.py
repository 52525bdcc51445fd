"""What is taken for a secret: names and forms, as data.

Names are told by what they contain, so a word in which one of them stands by chance
is listed too. Patterns are written to run in linear time on whatever they are given:
each is bounded or possessive, and starts only where a word does.
"""

from __future__ import annotations

# What a sensitive name contains, in lower case with "-" as "_".
NEEDLES = (
    *("auth", "token", "secret", "pass", "pwd", "key", "jwt", "bearer", "sso", "saml"),
    *("csrf", "xsrf", "credential", "session", "sid", "cookie", "signature", "dsn"),
    *("private", "otp", "client_cert"),
)

# Words in which a needle stands by chance, and what to read in their place.
SPELLINGS = (
    ("authority", "-"),
    ("authoriz", "auth"),
    ("authoris", "auth"),
    ("author", "-"),
    ("keyerror", "-"),
    ("keyword", "-"),
    ("keyboard", "-"),
    ("keynote", "-"),
    ("monkey", "-"),
    ("passed", "-"),
    ("passing", "-"),
    ("passive", "-"),
    ("passenger", "-"),
    ("passage", "-"),
    ("bypass", "-"),
    ("compass", "-"),
    ("side", "-"),
    ("classof", "-"),
    ("protop", "-"),
)

# Names of process variables whose values are no secrets, though the name looks so.
HARMLESS_EXACTLY = ("PWD", "OLDPWD")
HARMLESS_VARIABLES = (
    *("XDG_SESSION_", "DESKTOP_SESSION", "DBUS_SESSION_", "SSH_AUTH_SOCK", "LESSKEY"),
    *("GPG_KEY", "SESSION_MANAGER", "GNOME_KEYRING_CONTROL"),
)
HARMLESS_ENDINGS = ("_FILE", "_PATH", "_DIR", "_SOCK", "_ALGORITHM", "_TIMEOUT")

# Values of sensitive variables that are words of everybody's, in lower case.
HARMLESS_VALUES = frozenset(
    (
        *("disabled", "enabled", "default", "required", "optional", "production"),
        *("development", "testing", "localhost", "application", "database", "sqlite3"),
    )
)

# A value shorter than this is not looked for: it would shred every text.
SHORTEST = 6

# Words that follow "bearer" in prose.
_PROSE = "(?!auth|token|scheme|realm|error|format|header|is |was |not )"

# Each captures, under its name, what is taken out; "_" in a name is shown as "-".
PATTERNS = {
    "pem": r"-----BEGIN [A-Z0-9 ]{1,60}-----(?:(?!-----END ).)*+"
    r"(?:-----END [A-Z0-9 ]{1,60}-----)?",
    "url_password": r"(?<=://)[^\s:/?\#@\"'<>]{0,256}:(?P<url_password>"
    r"[^\s\"'<>]{1,256})(?=@)",
    "bearer": rf"(?<![\w])(?i:bearer)\s{{1,4}}{_PROSE}(?P<bearer>"
    r"[A-Za-z0-9._~+/=\-]{6,}+)",
    "basic": r"(?<![\w])(?i:basic|digest|negotiate)\s{1,4}(?=[a-z]{0,60}[A-Z0-9=+/])"
    r"(?P<basic>[A-Za-z0-9+/]{8,}+={0,2})",
    "jwt": r"(?<![\w\-])eyJ[\w\-]{5,}+\.[\w\-]{5,}+(?:\.[\w\-]*+)*+",
    "aws_key_id": r"(?<![A-Za-z0-9])(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    "google_key": r"(?<![\w\-])(?:AIza[\w\-]{35}|ya29\.[\w\-]{20,}+)",
    "github_token": r"(?<![\w])(?:gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_\w{20,}+)",
    "gitlab_token": r"(?<![\w\-])glpat-[\w\-]{16,}+",
    "slack_token": r"(?<![\w\-])xox[abeprs]-[A-Za-z0-9\-]{10,}+",
    "stripe_key": r"(?<![\w])(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{10,}+",
    "npm_token": r"(?<![\w])npm_[A-Za-z0-9]{30,}+",
}

# What a text must contain, in lower case, for any of the patterns to be worth a try.
TRIGGERS = (
    *("-----begin", "://", "bearer", "basic", "digest", "negotiate", "eyj"),
    *("akia", "asia", "aroa", "aida", "aiza", "ya29", "gh", "glpat-", "xox"),
    *("k_live", "k_test", "whsec", "npm_"),
)
