"""What Microsoft Entra's refusals mean, in one sentence each.

Source: Microsoft, "Microsoft Entra authentication and authorization error codes" (AADSTS…).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from .errors import CertificateProblem, ConfigurationError, CrmError, SignInAway, SignInError, SignInRequired

_CODE = re.compile(r"AADSTS(\d+)")
_NOT_A_NAME = re.compile(r"[^\w.-]")

_TENANT: Final = "The tenant is not known there: check AZURE_TENANT_ID and AZURE_AUTHORITY_HOST."
_APPLICATION: Final = {
    "90002": _TENANT,
    "900023": _TENANT,
    "900021": _TENANT,
    "700016": "The application is not known in this tenant: check AZURE_CLIENT_ID and AZURE_TENANT_ID.",
    "500011": "This tenant knows no such Dataverse organisation: check DATAVERSE_URL and AZURE_TENANT_ID.",
    "650057": "The app registration does not ask for Dataverse: add the permission user_impersonation.",
    "7000215": "The client secret is not accepted: check AZURE_CLIENT_SECRET (its value, not its id).",
    "7000222": "The client secret has expired: make a new one in the app registration.",
    "700027": "The certificate is not registered with the application: upload it to the app registration.",
    "700024": "The signed request is outside its time range: check this machine's clock.",
    "50011": "The redirect address is not registered with the application.",
    "7000218": "The application needs a secret or certificate to sign in.",
}
_PERSON: Final = {
    "65001": "This application has not been allowed to use Dynamics for you. Connect again and consent.",
    "50076": "Microsoft asks for another proof of who you are. Please connect again.",
    "50079": "Microsoft asks you to set up another proof of who you are. Please connect again.",
    "50158": "Microsoft asks for another proof of who you are. Please connect again.",
    "50173": "Your sign-in was revoked, perhaps by a new password. Please connect again.",
    "70008": "Your sign-in has expired. Please connect again.",
    "700082": "Your sign-in has expired. Please connect again.",
    "700084": "Your sign-in has expired. Please connect again.",
    "70043": "Your sign-in has expired. Please connect again.",
    "53003": "Your company's access rules do not allow this sign-in. Ask your administrator.",
    "50105": "You are not assigned to this application. Ask your administrator.",
    "50020": "Your account does not belong to this tenant. Sign in with another account.",
    "50057": "Your account is disabled.",
}
_ASK_AGAIN = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})


def refused(result: Any, host: str) -> CrmError:
    """The error behind a token answer without a token."""
    answer: Mapping[str, Any] = result if isinstance(result, Mapping) else {}
    description = str(answer.get("error_description") or "")
    found = _CODE.search(description)
    code = found[1] if found else next((str(number) for number in answer.get("error_codes") or ()), "")
    name = _NOT_A_NAME.sub("", str(answer.get("error") or ""))[:60]  # it may have come in an address
    if code in _PERSON:
        return SignInRequired(_PERSON[code], claims=answer.get("claims"), code=f"AADSTS{code}")
    if code in _APPLICATION:
        return SignInError(_APPLICATION[code], code=f"AADSTS{code}")
    if name == "discovery":
        return ConfigurationError(f"No sign-in service answers at {host} for this tenant. {_TENANT}")
    if name == "access_denied":
        return SignInRequired("The sign-in was cancelled. Please connect again when you are ready.", code=name)
    if name in {"expired_token", "code_expired"}:
        return SignInRequired("The sign-in was not finished in time. Please start again.", code=name)
    if name in _ASK_AGAIN:
        return SignInRequired("Please connect to Dynamics again.", claims=answer.get("claims"), code=name)
    shown = f"AADSTS{code}" if code else name or "no reason given"
    return SignInError(f"{host} did not give a token ({shown}). Check the application's sign-in settings.", code=shown)


def unreachable(exc: Exception, host: str) -> CrmError:
    """The error behind a sign-in service that did not answer."""
    text = str(exc)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return CertificateProblem(
            f"The certificate of {host} is not trusted or has expired. Check this machine's clock; "
            "if your company inspects TLS, point REQUESTS_CA_BUNDLE at its certificate."
        )
    return SignInAway(f"The sign-in service {host} cannot be reached. Check the network and AZURE_AUTHORITY_HOST.")
