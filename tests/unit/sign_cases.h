/* Made by sign_cases.py. */
#define SIGN_CASE_DATE "20261124T020300Z"
#define SIGN_CASE_HOST "127.0.0.1:18080"
#define SIGN_CASE_CONTENT_TYPE "application/json"
#define SIGN_CASE_NONCE "51a59790-0f4a-4047-91cb-03fbc47f1e40"
static const struct sign_case sign_cases[] = {
    {3, "a list of images", "GET", "/v1/regions/cn-north-1/images",
     "imageSource=private&pageNumber=1&pageSize=100", "", NULL, NULL, "cn-north-1", "vm", "SK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/cn-north-1/vm/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=66a0770a7e3a3beadaa04ca130880af5fb32ef3b4bbf7e3fa85cf59fe123f013"},
    {2, "the same with JDCLOUD2", "GET", "/v1/regions/cn-north-1/images",
     "imageSource=private&pageNumber=1&pageSize=100", "", NULL, NULL, "cn-north-1", "vm", "SK",
     "JDCLOUD2-HMAC-SHA256 Credential=AK/20261124/cn-north-1/vm/jdcloud2_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=07cb9fd8590090ef53b0100216fc5292fa37947cf67d00cd4266ce3891ecfa57"},
    {3, "a colon as it is sent", "POST", "/v1/regions/cn-north-1/images/img-1:share", "",
     "{\042pins\042:[\042alice\042]}", NULL, NULL, "cn-north-1", "vm", "SK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/cn-north-1/vm/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=3467d6fdcff1099886fa9d9983f4a29123210011da2b8da07bdfb89ed979bf2f"},
    {2, "a colon that is encoded", "POST", "/v1/regions/cn-north-1/images/img-1%3Aunshare", "",
     "{\042pins\042:[\042alice\042]}", NULL, NULL, "cn-north-1", "vm", "SK",
     "JDCLOUD2-HMAC-SHA256 Credential=AK/20261124/cn-north-1/vm/jdcloud2_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=5e9c4469c8bee6e6ab7a35c232b496143cb194d12915bc41d0dc263334191967"},
    {3, "an order of parameters", "GET", "/q", "b=2&a=3&a=1&a%20=0&A=9&a.10=x&a.9=y", "", NULL,
     NULL, "r", "s", "SK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=07fdf4969ec2c49aed492ecd40e7609821f2620b34458d2b887ac87472bb3806"},
    {3, "names and values with everything", "GET", "/q",
     "filters.1.name=resourceTypes&imageId=a/b%2Fc+d%20e&%E4%BA%AC=%e4%ba%ac&x=a=b&y=%zz&z=%", "",
     NULL, NULL, "r", "s", "SK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=3f6cc04c83271a5218e06b222902eff8fd884494d7f4fa556bbd08d328a34f16"},
    {3, "parameters without names and values", "GET", "/q", "&&=1&a=&b&", "", NULL, NULL, "r", "s",
     "SK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=22cc16d8685ed6b1fd9834f3d40c4070cf47958446045ce73544ace432962fa6"},
    {2, "a name without a value with JDCLOUD2", "GET", "/q", "b&a=1", "", NULL, NULL, "r", "s",
     "SK",
     "JDCLOUD2-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud2_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=e844dd88ea34c9817cf1695397858f40ae5eed15ad8a30a544b1b2da0d63a9ff"},
    {3, "many slashes with JDCLOUD3", "GET", "//v1///a%2F%2Fb//", "", "", NULL, NULL, "r", "s",
     "SK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=ec22f7a3caf0578f777079f8b8dd95d58364ac5715eb032292713856703622ab"},
    {2, "many slashes with JDCLOUD2", "GET", "//v1///a//", "", "", NULL, NULL, "r", "s", "SK",
     "JDCLOUD2-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud2_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=192c57dba0af82bc80a3d0878214cafb8b7cbff5caa1e11f832fe5e63bbbc1cc"},
    {2, "a plus sign in a path with JDCLOUD2", "GET", "/a+b", "", "", NULL, NULL, "r", "s", "SK",
     "JDCLOUD2-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud2_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=a5166508989e2e8158d709b2f6663c4f0e75e2b6e722505a52734740f42b784e"},
    {3, "no path", "GET", "", "", "", NULL, NULL, "jdcloud-api", "user", "SK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/jdcloud-api/user/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=5829e77b6536d4975f5c7a39c10ae2cc5ffb330b1e227786a7f896b63e49a596"},
    {3, "spaces in a header with JDCLOUD3", "GET", "/", "", "", "X-Free", " \011 a  b   c \015\012",
     "r", "s", "SK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-free;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=c2c83641565f6338113a2cfc8f3242a855ec5aaaa68a4639d097105c168b57e7"},
    {2, "spaces in a header with JDCLOUD2", "GET", "/", "", "", "X-Free", " \011 a  b   c \015\012",
     "r", "s", "SK",
     "JDCLOUD2-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud2_request, "
     "SignedHeaders=content-type;host;x-free;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=2d3cd627c70c8bad9025b2bd29a6456f43ccbb4ed64930690ea360d8a6cf0a79"},
    {3, "a token, and a long secret key", "GET", "/", "", "", "x-jdcloud-security-token",
     "dG9r/+=", "r", "s",
     "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK"
     "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK"
     "KKKKKKKKKKKKKK",
     "JDCLOUD3-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud3_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce;x-jdcloud-security-token, "
     "Signature=09a4b43f1369f8f41487515d35a40f89e6a407662581f89e751eb5f65394a224"},
    {2, "a payload in UTF-8, and a method in small letters", "post", "/v1/\344\272\254\344\270\234",
     "", "\344\272\221", NULL, NULL, "r", "s", "\345\257\206",
     "JDCLOUD2-HMAC-SHA256 Credential=AK/20261124/r/s/jdcloud2_request, "
     "SignedHeaders=content-type;host;x-jdcloud-date;x-jdcloud-nonce, "
     "Signature=bbc66ebb3e9c408ff5730f8c6c1ecd06612cea32689c61804157c464707179b3"},
};
