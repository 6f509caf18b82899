"""How the SDK opens, keeps and closes a connection."""
import os

import ovirtsdk4 as sdk

from judge import PRIMARY, SECONDARY, answered_with_a_page, case, connect, control, equal, main, open_connection, wait_for


def fails(**options):
    """The error of a connection that cannot be made."""
    connection = open_connection(**options)
    try:
        connection.test(raise_exception=True)
    except sdk.Error as error:
        equal(connection.test(), False)
        return error
    finally:
        connection.close(logout=False)
    raise AssertionError("the connection works")


@case
def good():
    for site in PRIMARY, SECONDARY:
        with connect(site) as connection:
            equal(connection.test(raise_exception=True), True)
            api = connection.system_service().get()
            equal(api.product_info.version.major, 4)
            assert api.product_info.instance_id, "no instance id"


@case
def two_engines_are_two():
    with connect(PRIMARY) as one, connect(SECONDARY) as other:
        ids = {c.system_service().get().product_info.instance_id for c in (one, other)}
        equal(len(ids), 2)


@case
def bad_password():
    error = fails(password="wrong")
    assert isinstance(error, sdk.AuthError), type(error)
    assert "access_denied" in str(error), error


@case
def user_without_profile():
    assert "access_denied" in str(fails(username="admin"))


@case
def user_of_an_unknown_profile():
    assert "access_denied" in str(fails(username="admin@nowhere"))


@case
def wrong_ca():
    error = fails(ca_file=os.environ["LAB_SECONDARY_CA"])
    assert "certificate" in str(error), repr(error)


@case
def no_ca_at_all():
    assert "certificate" in str(fails(ca_file=None))


@case
def absent_ca_file():
    try:
        open_connection(ca_file="/nonexistent/ca.pem")
    except sdk.Error as error:
        assert "doesn't exist" in str(error), error
    else:
        raise AssertionError("accepted")


@case
def insecure():
    with connect(ca_file=None, insecure=True) as connection:
        connection.test(raise_exception=True)


@case
def without_compression_and_debug():
    with connect(compress=False) as connection:
        equal(len(connection.system_service().vms_service().list()), 4)


@case
def unknown_path_of_the_api():
    assert "typical" in str(fails(url=os.environ["LAB_PRIMARY_URL"] + "x"))


@case
def engine_without_kerberos():
    """SSO answers 401 with a page: no profile negotiates (ovirt-engine NegotiateAuthService)."""
    assert "text/html" in str(fails(kerberos=True, username=None, password=None))
    answers = [entry["status"] for entry in control("/log") if entry["path"].endswith("/token-http-auth")]
    equal(answers, [401, 401])


@case
def token_instead_of_password():
    with connect() as first:
        token = first.authenticate()
        second = open_connection(username=None, password=None, token=token)
        second.test(raise_exception=True)
        second.close(logout=False)
        first.test(raise_exception=True)


@case
def logout_ends_the_token():
    first = open_connection()
    token = first.authenticate()
    first.test(raise_exception=True)
    first.close()
    with connect(username=None, password=None, token=token) as second:
        try:  # 401: the SDK logs in again, and has nothing to log in with
            second.test(raise_exception=True)
        except sdk.AuthError as error:
            assert "access_denied" in str(error) or "invalid_request" in str(error), error
        else:
            raise AssertionError("the token still works")


@case
def logout_of_nothing():
    connection = open_connection(token="nonsense")
    connection.close()


@case
def token_of_another_engine():
    with connect(SECONDARY) as other, connect(PRIMARY, token=other.authenticate()) as connection:
        connection.test(raise_exception=True)  # 401, then a login of its own
        assert connection.authenticate() != other.authenticate()


@case
def restart_forgets_tokens():
    with connect() as connection:
        token = connection.authenticate()
        control("/faults", {"site": "primary", "restart": True})
        try:
            connection.test(raise_exception=True)
        except sdk.Error:
            pass
        wait_for(connection.test, "the engine back")
        assert connection.authenticate() != token, "the token outlived the restart"


@case
def authentication_fault_is_html():
    with connect() as connection:
        control("/faults", {"site": "primary", "path": "/vms$", "status": 401, "html": True, "times": 2})
        with answered_with_a_page():
            connection.system_service().vms_service().list()


@case
def header_of_ones_own():
    with connect(headers={"Correlation-Id": "interop-1"}) as connection:
        connection.system_service().tags_service().list()
    assert any(entry.get("correlation") == "interop-1" for entry in control("/log")), "not in the log"


main()
