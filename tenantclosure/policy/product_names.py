"""Names of products as the admin center shows them, by SKU part number: Graph gives a subscription no other name.

From Microsoft's public list of product names and service plan identifiers; the common ones, as they are called now.
"""

from __future__ import annotations

from collections.abc import Mapping

PRODUCT_NAMES: Mapping[str, str] = {
    "AAD_FREE": "Microsoft Entra ID Free",
    "AAD_PREMIUM": "Microsoft Entra ID P1",
    "AAD_PREMIUM_P2": "Microsoft Entra ID P2",
    "ATP_ENTERPRISE": "Microsoft Defender for Office 365 (Plan 1)",
    "CCIBOTS_PRIVPREV_VIRAL": "Power Virtual Agents Viral Trial",
    "DESKLESSPACK": "Office 365 F3",
    "EMS": "Enterprise Mobility + Security E3",
    "EMSPREMIUM": "Enterprise Mobility + Security E5",
    "ENTERPRISEPACK": "Office 365 E3",
    "ENTERPRISEPREMIUM": "Office 365 E5",
    "EXCHANGEDESKLESS": "Exchange Online Kiosk",
    "EXCHANGEENTERPRISE": "Exchange Online (Plan 2)",
    "EXCHANGESTANDARD": "Exchange Online (Plan 1)",
    "FLOW_FREE": "Microsoft Power Automate Free",
    "INTUNE_A": "Microsoft Intune",
    "MCOEV": "Microsoft Teams Phone Standard",
    "MCOMEETADV": "Microsoft 365 Audio Conferencing",
    "MICROSOFT_365_COPILOT": "Microsoft 365 Copilot",
    "O365_BUSINESS": "Microsoft 365 Apps for business",
    "O365_BUSINESS_ESSENTIALS": "Microsoft 365 Business Basic",
    "O365_BUSINESS_PREMIUM": "Microsoft 365 Business Standard",
    "OFFICESUBSCRIPTION": "Microsoft 365 Apps for enterprise",
    "PBI_PREMIUM_PER_USER": "Power BI Premium Per User",
    "POWER_BI_PRO": "Power BI Pro",
    "POWER_BI_STANDARD": "Microsoft Fabric (Free)",
    "POWERAPPS_DEV": "Microsoft Power Apps for Developer",
    "POWERAPPS_VIRAL": "Microsoft Power Apps Plan 2 Trial",
    "PROJECTPREMIUM": "Project Plan 5",
    "PROJECTPROFESSIONAL": "Project Plan 3",
    "PROJECT_P1": "Project Plan 1",
    "RIGHTSMANAGEMENT_ADHOC": "Rights Management Adhoc",
    "SHAREPOINTENTERPRISE": "SharePoint Online (Plan 2)",
    "SHAREPOINTSTANDARD": "SharePoint Online (Plan 1)",
    "SPB": "Microsoft 365 Business Premium",
    "SPE_E3": "Microsoft 365 E3",
    "SPE_E5": "Microsoft 365 E5",
    "SPE_F1": "Microsoft 365 F3",
    "STANDARDPACK": "Office 365 E1",
    "STREAM": "Microsoft Stream",
    "TEAMS_EXPLORATORY": "Microsoft Teams Exploratory",
    "VISIOCLIENT": "Visio Plan 2",
    "VISIOONLINE_PLAN1": "Visio Plan 1",
    "WINDOWS_STORE": "Windows Store for Business",
}


def product_name(name: str, sku: object) -> str:
    """The product's name where all that is known is its SKU part number; any other name stays."""
    if not isinstance(sku, str) or name != sku:
        return name
    return PRODUCT_NAMES.get(sku.upper(), name)
