"""LWA clients over gRPC: the operator's shared ones, a user's own through the edge, and a rotation while an account is in use."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import application_pb2
from sellergate.account.v1 import application_service_pb2 as pb2
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_common.errors import InvalidRequest, NotAllowed, NotFound
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


async def test_users_of_a_shared_application_never_see_its_secret(rest: Rest, seller: Seller) -> None:
    suite = rest.suite
    new = pb2.CreateApplicationRequest(
        application=application_pb2.Application(name="Shared", redirect_uris=["https://a.example/cb"]),
        lwa_client_id=seller.client_id,
        lwa_client_secret="to-be-rotated",
    )
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        stub = ApplicationServiceStub(channel)
        made = (await invoke(stub.CreateApplication, new, dependency="account")).application
        assert made.lwa_client_id_hint == seller.client_id[-4:]
        connection = seller.connection(applicationId=made.application_id, lwaClientId=None, lwaClientSecret=None)
        account = (await rest.request("POST", "/api/amazon/accounts", json=connection)).json()
        params = {"amazonAccountId": account["id"]}
        wrong = (await rest.request("GET", "/api/amazon/test/status", params=params)).json()
        assert wrong["stages"][1]["reason"].startswith("LWA_CLIENT_REJECTED")

        rotation = pb2.RotateClientSecretRequest(application_id=made.application_id, client_secret=seller.client_secret)
        rotated = (await invoke(stub.RotateClientSecret, rotation, dependency="account")).application
        assert rotated.HasField("previous_secret_expire_time")
        assert rotated.etag != made.etag
        right = (await rest.request("GET", "/api/amazon/test/status", params=params)).json()
        assert right["stages"][1]["outcome"] == "OK"

        found: list[str] = []
        page = pb2.ListApplicationsResponse(next_page_token="")
        while True:
            request = pb2.ListApplicationsRequest(page_size=2, page_token=page.next_page_token)
            page = await invoke(stub.ListApplications, request, dependency="account")
            found += [application.application_id for application in page.applications]
            if not page.next_page_token:
                break
        assert len(found) == len(set(found))
        assert made.application_id in found
        with pytest.raises(InvalidRequest):
            delete = pb2.DeleteApplicationRequest(application_id=made.application_id)
            await invoke(stub.DeleteApplication, delete, dependency="account")


async def test_a_user_changes_its_own_applications_and_no_others(rest: Rest, seller: Seller) -> None:
    suite = rest.suite
    new = pb2.CreateApplicationRequest(
        application=application_pb2.Application(name="Mine"),
        lwa_client_id=seller.client_id,
        lwa_client_secret=seller.client_secret,
    )
    async with open_channel(suite.target("account"), "account", suite.identity("edge"), []) as channel:
        stub = ApplicationServiceStub(channel)
        made = (
            await invoke(stub.CreateApplication, new, dependency="account", on_behalf_of=f"o-{seller.seller_id}")
        ).application
        assert made.owner_user_id == f"o-{seller.seller_id}"
        get = pb2.GetApplicationRequest(application_id=made.application_id)
        with pytest.raises(NotFound):
            await invoke(stub.GetApplication, get, dependency="account", on_behalf_of="stranger")
        with pytest.raises(NotAllowed):
            other = pb2.ListApplicationsRequest(owner_user_id=made.owner_user_id)
            await invoke(stub.ListApplications, other, dependency="account", on_behalf_of="stranger")
        update = pb2.UpdateApplicationRequest(
            application=application_pb2.Application(application_id=made.application_id, name="New", draft=True),
            update_mask=FieldMask(paths=["name", "draft"]),
            etag=made.etag,
        )
        changed = (
            await invoke(stub.UpdateApplication, update, dependency="account", on_behalf_of=made.owner_user_id)
        ).application
        assert (changed.name, changed.draft) == ("New", True)
        update.update_mask.paths.append("owner_user_id")
        with pytest.raises(InvalidRequest) as caught:
            await invoke(stub.UpdateApplication, update, dependency="account", on_behalf_of=made.owner_user_id)
        assert caught.value.violations[0].field == "update_mask"
        delete = pb2.DeleteApplicationRequest(application_id=made.application_id, etag=changed.etag)
        await invoke(stub.DeleteApplication, delete, dependency="account", on_behalf_of=made.owner_user_id)
