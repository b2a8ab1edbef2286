// The app registration of the service, in the hosting tenant. Multitenant: a tenant that is to be closed consents to it.
// The managed identity is its only credential.

extension microsoftGraphV1

@description('Display name, and the name by which a later deployment finds it again.')
param name string

@description('Principal id of the managed identity that signs in as this application.')
param principalId string

@description('Audience of the tokens that the identity vouches with.')
param audience string

@description('Where people reach the pages.')
param pages string

@description('Whether mails go out through Microsoft Graph.')
param sendsMail bool

@description('Whether External ID or B2C tenants are closed too.')
param externalTenants bool

// The permissions of tenantclosure/policy/permissions.py, which says what each is for; a test holds the two together.
var graphId = '00000003-0000-0000-c000-000000000000'

@description('A tenant that is to be closed consents to all of these at once.')
var targetPermissions = [
  { name: 'Application.ReadWrite.All', id: '1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9' }
  { name: 'Device.Read.All', id: '7438b122-aefc-4978-80ed-43db9fcc7715' }
  { name: 'Domain.ReadWrite.All', id: '7e05723c-0bb0-42da-be95-ae9f08a6e53c' }
  { name: 'Group.Read.All', id: '5b567255-7703-4780-807c-7be8301ae99b' }
  { name: 'Organization.Read.All', id: '498476ce-e0fe-48b0-b801-37ba7e2685c6' }
  { name: 'Policy.Read.All', id: '246dd0d5-5bd0-4def-940b-0421030a5b68' }
  { name: 'Policy.ReadWrite.AuthenticationMethod', id: '29c18626-4985-4dcd-85c0-193eef327366' }
  { name: 'Policy.ReadWrite.Authorization', id: 'fb221be6-99f2-473f-bd32-01c6a0e9ca3b' }
  { name: 'RoleManagement.Read.Directory', id: '483bed4a-2ad3-4361-a73b-c83ccdbdc53c' }
  { name: 'User.DeleteRestore.All', id: 'eccc023d-eccf-4e7b-9683-8813ab36cecc' }
  { name: 'User.Read.All', id: 'df021288-bdef-4463-88db-98f22de89214' }
  { name: 'Organization.ReadWrite.All', id: '292d869f-3427-49a8-9dab-8c70152b74e9' }
  { name: 'User.EnableDisableAccount.All', id: '3011c876-62b7-4ada-afa2-506cbbecc68c' }
  { name: 'User.RevokeSessions.All', id: '77f3a031-c388-4f99-b373-dc68676a979e' }
]

@description('More for an External ID or B2C tenant.')
var externalPermissions = [
  { name: 'IdentityProvider.Read.All', id: 'e321f0bb-e7f7-481e-bb28-e3b0b32d4bd0' }
  { name: 'IdentityUserFlow.Read.All', id: '1b0c317f-dd31-4305-9932-259a8b6e8099' }
  { name: 'TrustFrameworkKeySet.Read.All', id: 'fff194f1-7dce-4428-8301-1badb5518201' }
]

@description('Granted in the hosting tenant alone, so that no closed tenant ever grants them.')
var hostingPermissions = [
  { name: 'User.Read.All', id: 'df021288-bdef-4463-88db-98f22de89214' }
]

var mailPermissions = [
  { name: 'Mail.Send', id: 'b633e1c5-b582-4048-a93e-9f11b44c7e96' }
]

resource registration 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: name
  displayName: name
  signInAudience: 'AzureADMultipleOrgs'
  appRoles: [
    {
      id: 'f7813229-e098-46be-a081-9f583f1feb90'
      allowedMemberTypes: ['User']
      displayName: 'Operator'
      description: 'Files closures and steers them.'
      isEnabled: true
      value: 'Operator'
    }
    {
      id: '456470a5-5eaa-4e14-b815-abeb75dcd25b'
      allowedMemberTypes: ['User']
      displayName: 'Approver'
      description: 'Decides at the gates that name them.'
      isEnabled: true
      value: 'Approver'
    }
    {
      id: 'ed0638c7-9559-49c7-823c-1b0b867c81a6'
      allowedMemberTypes: ['User']
      displayName: 'Auditor'
      description: 'Reads everything and changes nothing.'
      isEnabled: true
      value: 'Auditor'
    }
  ]
  api: {
    requestedAccessTokenVersion: 2
    oauth2PermissionScopes: [
      {
        id: '11caf13f-925f-4217-bd7a-8d038ebc910f'
        adminConsentDescription: 'Call the service as the signed-in person, with the roles that this person holds.'
        adminConsentDisplayName: 'Call the service'
        isEnabled: true
        type: 'User'
        userConsentDescription: 'Call the service as you, with the roles that you hold.'
        userConsentDisplayName: 'Call the service'
        value: 'user_impersonation'
      }
    ]
    preAuthorizedApplications: [
      {
        // The Azure CLI, which gets the token of the closure command.
        appId: '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
        delegatedPermissionIds: ['11caf13f-925f-4217-bd7a-8d038ebc910f']
      }
    ]
  }
  optionalClaims: {
    accessToken: [
      {
        name: 'idtyp'
      }
    ]
  }
  web: {
    homePageUrl: pages
    redirectUris: [
      '${pages}/.auth/login/aad/callback'
      '${pages}/'
    ]
    implicitGrantSettings: {
      enableAccessTokenIssuance: false
      enableIdTokenIssuance: true
    }
  }
  requiredResourceAccess: [
    {
      resourceAppId: graphId
      resourceAccess: [
        for each in concat(targetPermissions, externalTenants ? externalPermissions : []): {
          id: each.id
          type: 'Role'
        }
      ]
    }
  ]

  resource vouching 'federatedIdentityCredentials@v1.0' = {
    name: '${name}/managed-identity'
    description: 'The managed identity of the function app.'
    issuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
    subject: principalId
    audiences: [
      audience
    ]
  }
}

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = {
  appId: graphId
}

resource servant 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: registration.appId
}

resource grant 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [
  for each in concat(hostingPermissions, sendsMail ? mailPermissions : []): {
    appRoleId: each.id
    principalId: servant.id
    resourceId: graph.id
  }
]

output clientId string = registration.appId
output servicePrincipalId string = servant.id
