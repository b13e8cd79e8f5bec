"""Operations that tell who somebody is: describeUserPin of iam, describeUser of user."""

from fakecloud.rows import Refusal, to_json


def describe_user_pin(context):
    """The pin of the account that has a key or an account id."""
    access_key, account_id = context.call.one("accessKey"), context.call.one("accountId")
    if not access_key and not account_id:
        raise Refusal("parameter-missing", parameter="accessKey")
    if access_key:
        key = context.state.keys.get(access_key)
        account = key.account if key else None
    else:
        account = next((each for each in context.state.accounts.values()
                        if each.account_id == account_id), None)
    if account is None:
        raise Refusal("user-not-found")
    return to_json({"pin": account.pin})


def describe_user(context):
    """The account that asks."""
    account = context.account
    return to_json({"pin": account.pin, "loginName": account.login_name,
                       "accountId": account.account_id, "userAuth": True})
