import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/**
 * A maker of authenticators that exists only here, with certificates made by OpenSSL for a hundred years: a root, the one certificate of
 * a model under it, and the same model's certificate by a root that only has the same name. The keys are worth nothing anywhere.
 */
export const model = '00112233-4455-6677-8899-aabbccddeeff';

export const root = `-----BEGIN CERTIFICATE-----
MIIBwjCCAWegAwIBAgIUbkjkYOlJiRTxsGYD8nlj2PVrdz4wCgYIKoZIzj0EAwIw
NTELMAkGA1UEBhMCU0UxEjAQBgNVBAoMCVRlc3QgS2V5czESMBAGA1UEAwwJVGVz
dCBSb290MCAXDTI2MTEyMjIwMTMxNVoYDzIxMjYxMDI5MjAxMzE1WjA1MQswCQYD
VQQGEwJTRTESMBAGA1UECgwJVGVzdCBLZXlzMRIwEAYDVQQDDAlUZXN0IFJvb3Qw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR4rUED5sTQrGAlry5zDxXndZnBQ9r2
qzrEHBvCVd/fKVC/ZyHHMhVbsT0tROxZTe+3Y8NWGgPynyLTVJXTbRpAo1MwUTAd
BgNVHQ4EFgQUq7wIgKYLbwFR5YI86lHF3S2LVicwHwYDVR0jBBgwFoAUq7wIgKYL
bwFR5YI86lHF3S2LVicwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBG
AiEAl1ura3xgrv/Q/drAk4EMtglVFH9s1mmywo+KJtXO64UCIQDpDhaa4oaEs4v/
ovwtc3snfgQ1KKWn5TkM1vn2oNpP4Q==
-----END CERTIFICATE-----`;

const leaf = `-----BEGIN CERTIFICATE-----
MIICBzCCAaygAwIBAgIUQJnPrT+UWx03tw6p3RHw4OtnMlkwCgYIKoZIzj0EAwIw
NTELMAkGA1UEBhMCU0UxEjAQBgNVBAoMCVRlc3QgS2V5czESMBAGA1UEAwwJVGVz
dCBSb290MCAXDTI2MTEyMjIwMTMxNVoYDzIxMjYxMDI5MjAxMzE1WjBaMQswCQYD
VQQGEwJTRTESMBAGA1UECgwJVGVzdCBLZXlzMSIwIAYDVQQLDBlBdXRoZW50aWNh
dG9yIEF0dGVzdGF0aW9uMRMwEQYDVQQDDApUZXN0IEtleSAxMFkwEwYHKoZIzj0C
AQYIKoZIzj0DAQcDQgAERdZf/Jy1qEebX1GqQVbSkbpMZ8Ma7XDj0sxvDBAHHLCH
CDW7mWuT1FSkBZMulSiFZcFxBtnvRE0kPduTVei356NzMHEwDAYDVR0TAQH/BAIw
ADAhBgsrBgEEAYLlHAEBBAQSBBAAESIzRFVmd4iZqrvM3e7/MB0GA1UdDgQWBBS1
LJh8kJxfOshPjppL7PHXTo44NzAfBgNVHSMEGDAWgBSrvAiApgtvAVHlgjzqUcXd
LYtWJzAKBggqhkjOPQQDAgNJADBGAiEAvJ4QYuxStO0zeo+uZN58VpsaaYSBjXeg
Lei9q2UgR2QCIQCF+hLEL2WmpXys2s39MJyRTWdmWyxKUWAEHJMhAS9WTw==
-----END CERTIFICATE-----`;

const falseLeaf = `-----BEGIN CERTIFICATE-----
MIICBjCCAaygAwIBAgIURoE5Q1G4K/lW1ekdJWw8muj1pukwCgYIKoZIzj0EAwIw
NTELMAkGA1UEBhMCU0UxEjAQBgNVBAoMCVRlc3QgS2V5czESMBAGA1UEAwwJVGVz
dCBSb290MCAXDTI2MTEyMjIwMTMxNVoYDzIxMjYxMDI5MjAxMzE1WjBaMQswCQYD
VQQGEwJTRTESMBAGA1UECgwJVGVzdCBLZXlzMSIwIAYDVQQLDBlBdXRoZW50aWNh
dG9yIEF0dGVzdGF0aW9uMRMwEQYDVQQDDApUZXN0IEtleSAxMFkwEwYHKoZIzj0C
AQYIKoZIzj0DAQcDQgAERdZf/Jy1qEebX1GqQVbSkbpMZ8Ma7XDj0sxvDBAHHLCH
CDW7mWuT1FSkBZMulSiFZcFxBtnvRE0kPduTVei356NzMHEwDAYDVR0TAQH/BAIw
ADAhBgsrBgEEAYLlHAEBBAQSBBAAESIzRFVmd4iZqrvM3e7/MB0GA1UdDgQWBBS1
LJh8kJxfOshPjppL7PHXTo44NzAfBgNVHSMEGDAWgBTw9h3z1gdR6x2NUqIt2tGQ
iuAIqjAKBggqhkjOPQQDAgNIADBFAiAYb+KO0q9BMIvD8WvlU486/PMgIj6EU9UX
7yrp15rVowIhAKmTQKJT/KXttA1QwMUlalFH5TlnDAPOjnf0ufKXYQXm
-----END CERTIFICATE-----`;

const leafKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJIgjhToVLtj7LU6X
Ab9IInvjau/dZrNFIyxXYdHEF6ChRANCAARF1l/8nLWoR5tfUapBVtKRukxnwxrt
cOPSzG8MEAccsIcINbuZa5PUVKQFky6VKIVlwXEG2e9ETSQ925NV6Lfn
-----END PRIVATE KEY-----`;

/** What attests a model: the key that signs, the certificates that say whose it is, and the model it claims. */
export interface Attester {
  readonly key: KeyObject;
  readonly certificates: readonly Uint8Array[];
  readonly model: string;
}

const bytes = (pem: string): Uint8Array => new Uint8Array(new X509Certificate(pem).raw);

export const attester: Attester = {
  key: createPrivateKey(leafKey),
  certificates: [bytes(leaf)],
  model,
};

export const falseAttester: Attester = { ...attester, certificates: [bytes(falseLeaf)] };

/** It brings its own root along. */
export const selfMade: Attester = { ...attester, certificates: [bytes(falseLeaf), bytes(root)] };
