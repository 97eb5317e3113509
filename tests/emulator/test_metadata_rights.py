"""Who may change the schema."""

from crm.emulator import seeds

from .documents import serving

ACCOUNT = "EntityDefinitions(LogicalName='account')"
LABEL = {"LocalizedLabels": [{"Label": "Mine", "LanguageCode": 1033}]}
PRIMARY = {
    "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
    "SchemaName": "new_Name",
    "IsPrimaryName": True,
}
TABLE = {"SchemaName": "new_Forbidden", "Attributes": [PRIMARY]}


async def test_only_administrators_change_the_schema() -> None:
    async with serving(seed="contoso") as api:
        as_salesperson = {"MSCRMCallerID": seeds.row_id("systemuser", "ben")}
        refused = await api("POST", "EntityDefinitions", TABLE, headers=as_salesperson)
        assert (refused.status, refused.code) == (403, "0x80040220")
        label_change = await api("PUT", ACCOUNT, {"DisplayName": LABEL}, headers=as_salesperson)
        assert label_change.status == 403
        assert (await api.get(ACCOUNT, headers=as_salesperson)).status == 200
        assert (await api("POST", "EntityDefinitions", {**TABLE, "SchemaName": "new_Allowed"})).status == 204
        assert (
            await api("DELETE", "EntityDefinitions(LogicalName='new_allowed')", headers=as_salesperson)
        ).status == 403
