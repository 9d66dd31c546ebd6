"""The request that Microsoft's page of June 2017 prints."""

import json

SEED_BODY = """{
  "@odata.type": "#microsoft.graph.managedDeviceCertificateState",
  "devicePlatform": "androidForWork",
  "certificateKeyUsage": "digitalSignature",
  "certificateProfileDisplayName": "Certificate Profile Display Name value",
  "deviceDisplayName": "Device Display Name value",
  "userDisplayName": "User Display Name value",
  "serverUrl": "https://example.com/serverUrl/",
  "certificateExpirationDateTime": "2017-01-01T00:02:14.9489247-08:00",
  "lastCertificateStateChangeDateTime": "2017-01-01T00:01:10.7144639-08:00",
  "certificateIssuer": "Certificate Issuer value",
  "certificateThumbprint": "Certificate Thumbprint value",
  "certificateSerialNumber": "Certificate Serial Number value",
  "certificateKeyLength": 4,
  "enhancedKeyUsage": "Enhanced Key Usage value"
}"""

SEED_PROPERTIES: dict[str, str | int] = json.loads(SEED_BODY)
