"""What every organisation of Dataverse has and this emulator has not: answered 501, for 404 would say that it is wrong.

Names: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference (messages, entity sets).
"""

from .errors import DataverseError, no_segment, not_implemented
from .odata import CRM

_MESSAGES = frozenset(
    {
        "AddAppComponents", "AddMembersTeam", "AddPrincipalToQueue", "AddPrivilegesRole",
        "AddUserToRecordTeam", "ApplyRoutingRule", "AssociateEntities", "BackgroundSendEmail",
        "BulkDetectDuplicates", "CalculateActualValue", "CalculatePrice", "CalculateRollupField", "CloseQuote",
        "ConvertQuoteToSalesOrder", "DeleteMultiple", "ExecuteWorkflow", "ExportSolution", "FormatAddress",
        "FullTextSearchKnowledgeArticle", "GenerateQuoteFromOpportunity", "GetAllTimeZonesWithDisplayName",
        "GetQuantityAvailable", "GetTimeZoneCodeByLocalizedName", "GrantAccess", "ImportSolution",
        "IncrementKnowledgeArticleViewCount", "InitializeAttachmentBlocksUpload", "InstantiateTemplate",
        "IsValidStateTransition", "Merge", "ModifyAccess", "PickFromQueue", "QueryExpressionToFetchXml",
        "ReassignObjectsOwner", "ReassignObjectsSystemUser", "ReleaseToQueue", "RemoveMembersTeam",
        "RemoveUserFromRecordTeam", "RetrieveAllEntities", "RetrieveAppComponents", "RetrieveAvailableLanguages",
        "RetrieveCurrentOrganization", "RetrieveEntity", "RetrieveInstalledLanguagePacks",
        "RetrieveLicenseInfo", "RetrieveLocLabels", "RetrieveOrganizationInfo", "RetrieveOrganizationResources",
        "RetrievePrincipalAccess", "RetrievePrincipalAccessInfo", "RetrieveProvisionedLanguages",
        "RetrieveRolePrivilegesRole", "RetrieveSharedPrincipalsAndAccess", "RetrieveTeamPrivileges",
        "RetrieveUnpublishedMultiple", "RetrieveUserPrivilegeByPrivilegeId", "RetrieveUserPrivileges",
        "RetrieveUserQueues", "ReviseQuote", "RevokeAccess", "RouteTo", "Search", "SendEmail", "SendEmailFromTemplate",
        "SetProcess", "SetState", "UpdateProductProperties", "ValidateSavedQuery", "WinQuote",
        "searchautocomplete", "searchstatistics", "searchsuggest",
    }
)  # fmt: skip
_ENTITY_SETS = frozenset(
    {
        "activitymimeattachments", "appmodules", "appointments", "asyncoperations", "attachments", "audits",
        "bulkdeleteoperations", "calendars", "campaignactivities", "campaignresponses",
        "competitors", "connectionreferences", "connectionroles", "connections", "contracts",
        "customapis", "customeraddresses", "duplicaterecords", "duplicateruleconditions", "duplicaterules", "emails",
        "entitlements", "environmentvariabledefinitions", "environmentvariablevalues", "equipments", "faxes",
        "fieldsecurityprofiles", "goals", "importjobs", "knowledgearticles", "letters", "lists", "mailboxes", "metrics",
        "opportunitysalesprocesses", "phonetocaseprocesses",
        "pluginassemblies", "plugintypes", "postcomments", "postfollows", "posts", "principalobjectaccessset",
        "privileges", "processstages", "publishers", "quotecloses", "quotedetails", "recurringappointmentmasters",
        "savedqueries", "sdkmessageprocessingstepimages", "serviceappointments", "sharepointdocumentlocations", "sites",
        "slas", "socialactivities", "solutioncomponents", "solutions", "stringmaps", "systemforms", "teamtemplates",
        "templates", "territories", "timezonedefinitions", "userforms", "userqueries", "webresourceset", "workflows",
    }
)  # fmt: skip


def no_resource(name: str) -> DataverseError:
    """The refusal of a path segment that means nothing here."""
    bare = name.removeprefix(CRM)
    if bare in _MESSAGES:
        return not_implemented(f"The operation '{bare}'")
    if name in _ENTITY_SETS:
        return not_implemented(f"The table with the entity set '{name}'")
    return no_segment(name)
