// Tenant Closure in the subscription of the hosting tenant. `azd up` runs it; infra/README.md walks through.

targetScope = 'subscription'

@description('Short name of this deployment; the resource group is called rg-<name>.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Azure region of everything.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('Cloud of the tenants that are closed. It must be the one that this subscription is in.')
@allowed([
  'global'
  'usgov'
  'usgov-dod'
  'china'
])
param cloud string = 'global'

@description('Ids of the tenants that may be closed, separated by commas; empty: none.')
param allowedTenants string

@description('Billing accounts whose subscriptions may be cancelled, separated by commas; empty: none.')
param billingAccounts string = ''

@description('The partner (CSP) tenant whose Partner Center may be used; empty: none.')
param partnerTenantId string = ''

@description('What keeps the histories. The deployed package must be made for the same backend.')
@allowed([
  'azure-storage'
  'durable-task-scheduler'
])
param backend string = 'azure-storage'

@description('Application id of an app registration that exists; empty: infra/graph makes one.')
param clientId string = ''

@description('Whether External ID or B2C tenants are closed too: the registration then asks for more permissions.')
param externalTenants bool = false

@description('Https address under which people reach the pages, for example behind a domain of your own; empty: the app\'s own.')
param baseUrl string = ''

@description('Mailbox that mails come from; empty: no mail is sent.')
param mailFrom string = ''

@description('Mail server as host:port; empty: Microsoft Graph.')
param smtp string = ''

@description('User for the mail server. Its password is the secret closure-smtp-password in the vault; empty: no sign-in.')
param smtpUser string = ''

@description('Post cards into a Teams channel. The workflow\'s address is the secret closure-teams-webhook in the vault.')
param teamsCards bool = false

@description('Application ids that may call back about approvals, separated by commas; empty: none.')
param callbackApps string = ''

@description('Writes a second / burst for one tenant.')
param writeLimit string = '20/3000'

@description('Writes a second / burst of the application over all tenants.')
param appWriteLimit string = '116/35000'

@minValue(1)
@maxValue(32)
param lanes int = 4

@minValue(20)
@maxValue(5000)
param shardSize int = 1000

@description('Who gets the alerts: mail addresses separated by commas.')
@minLength(3)
param alertEmails string

@description('Reach storage and vault by private endpoints only.')
param privateNetwork bool = false

@description('Days after its end for which a closure\'s records are kept, 90 at least; 0: for ever.')
@minValue(0)
@maxValue(36500)
param recordsDays int = 1095

@description('Days for which storage refuses to change or delete a line of the audit chain.')
@minValue(1)
@maxValue(146000)
param auditRetentionDays int = 2555

@description('Whether the policy of the audit chain was locked: from then on a deployment must leave it alone.')
param auditLocked bool = false

@description('Days for which logs, traces and metrics are kept.')
@minValue(30)
@maxValue(730)
param telemetryDays int = 90

@description('Address of another collector of telemetry (OTLP over HTTP); empty: none.')
param collector string = ''

@description('How the Records\' account is copied.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param recordsSku string = 'Standard_ZRS'

@allowed([
  2048
  4096
])
param instanceMemoryMB int = 2048

@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

// What this deployment would do wrong is said before anything is made. Conditions stay on one line: the parser that reads
// this file in tests knows no broken ones.

var home = toLower(subscription().tenantId)
var listed = filter(map(split(toLower(allowedTenants), ','), one => trim(one)), one => !empty(one))
var checkedTenants = contains(listed, home) ? fail('allowedTenants names the tenant that hosts this deployment: it can never be closed from here.') : listed

var clouds = {
  global: { azure: 'AzureCloud', sites: 'azurewebsites.net', audience: 'api://AzureADTokenExchange' }
  usgov: { azure: 'AzureUSGovernment', sites: 'azurewebsites.us', audience: 'api://AzureADTokenExchangeUSGov' }
  'usgov-dod': { azure: 'AzureUSGovernment', sites: 'azurewebsites.us', audience: 'api://AzureADTokenExchangeUSGov' }
  china: { azure: 'AzureChinaCloud', sites: 'chinacloudsites.cn', audience: 'api://AzureADTokenExchangeChina' }
}
var checkedCloud = clouds[cloud].azure == environment().name ? cloud : fail('cloud is not the one that this subscription is in: tokens of one cloud are no good in another.')

var checkedMailFrom = empty(mailFrom) && !empty(smtp) ? fail('smtp is given without mailFrom: name the mailbox that mails come from.') : mailFrom

var checkedClientId = empty(clientId) && cloud != 'global' ? fail('The Microsoft Graph extension works in the global cloud only: make the app registration by hand and give clientId.') : clientId

var checkedBaseUrl = empty(baseUrl) || startsWith(baseUrl, 'https://') ? baseUrl : fail('baseUrl must be an https address, as people reach it.')

var checkedRecordsDays = recordsDays > 0 && recordsDays < 90 ? fail('recordsDays must be 0 or at least 90: for 30 days after its end a closure can be rolled back.') : recordsDays

// The first resource asks for all of them, so that none is made when one fails.
var checks = [checkedTenants, checkedCloud, checkedMailFrom, checkedClientId, checkedBaseUrl, checkedRecordsDays]

var usesScheduler = backend == 'durable-task-scheduler'
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var appName = 'func-closure-${token}'
var hostName = '${appName}.${clouds[cloud].sites}'
var pages = empty(checkedBaseUrl) ? 'https://${hostName}' : checkedBaseUrl

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: union(tags, { 'closure-checks': string(length(checks)) })
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    name: 'id-closure-${token}'
    location: location
    tags: tags
  }
}

module registration 'graph/registration.bicep' = if (empty(checkedClientId)) {
  scope: group
  params: {
    name: 'tenant-closure-${token}'
    principalId: identity.outputs.principalId
    audience: clouds[cloud].audience
    pages: pages
    externalTenants: externalTenants
    sendsMail: !empty(checkedMailFrom) && empty(smtp)
  }
}

var applicationId = empty(checkedClientId) ? registration!.outputs.clientId : checkedClientId

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    name: 'closure-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    retentionDays: telemetryDays
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    insightsId: monitoring.outputs.id
    emails: alertEmails
  }
}

module hostStorage 'modules/host-storage.bicep' = {
  scope: group
  params: {
    name: 'sthost${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    private: privateNetwork
  }
}

module recordsStorage 'modules/records-storage.bicep' = {
  scope: group
  params: {
    name: 'strecords${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    private: privateNetwork
    auditRetentionDays: auditRetentionDays
    auditLocked: auditLocked
    sku: recordsSku
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    private: privateNetwork
  }
}

module scheduler 'modules/scheduler.bicep' = if (usesScheduler) {
  scope: group
  params: {
    name: 'dts-closure-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    taskHub: 'TenantClosure' // host.json's hubName
    private: privateNetwork
  }
}

var storage = environment().suffixes.storage
var vaultZone = 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
var services = concat(
  [
    { name: 'pe-host-blob', id: hostStorage.outputs.id, group: 'blob', zone: 'privatelink.blob.${storage}' }
    { name: 'pe-host-queue', id: hostStorage.outputs.id, group: 'queue', zone: 'privatelink.queue.${storage}' }
    { name: 'pe-host-table', id: hostStorage.outputs.id, group: 'table', zone: 'privatelink.table.${storage}' }
    { name: 'pe-records-blob', id: recordsStorage.outputs.id, group: 'blob', zone: 'privatelink.blob.${storage}' }
    { name: 'pe-records-queue', id: recordsStorage.outputs.id, group: 'queue', zone: 'privatelink.queue.${storage}' }
    { name: 'pe-records-table', id: recordsStorage.outputs.id, group: 'table', zone: 'privatelink.table.${storage}' }
    { name: 'pe-vault', id: vault.outputs.id, group: 'vault', zone: vaultZone }
  ],
  usesScheduler ? [{ name: 'pe-scheduler', id: scheduler!.outputs.id, group: 'scheduler', zone: 'privatelink.durabletask.io' }] : []
)

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  params: {
    name: 'vnet-closure-${token}'
    location: location
    tags: tags
    services: services
  }
}

// Every setting of docs/settings.md that Azure does not set itself, but for those of infra/README.md's "Never in Azure".
var settings = {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.outputs.clientId};Authorization=AAD'
  APPLICATIONINSIGHTS_CONNECTION_STRING: monitoring.outputs.ingestion
  AZURE_FUNCTIONS_DURABLE_STRICT_TYPING: 'true'
  AzureWebJobsStorage__blobServiceUri: hostStorage.outputs.blobUrl
  AzureWebJobsStorage__clientId: identity.outputs.clientId
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__queueServiceUri: hostStorage.outputs.queueUrl
  AzureWebJobsStorage__tableServiceUri: hostStorage.outputs.tableUrl
  CLOSURE_ALLOWED_TENANTS: join(checkedTenants, ',')
  CLOSURE_APPROVAL_POLICY: '/home/site/wwwroot/approval-policy.yaml'
  CLOSURE_APP_WRITE_LIMIT: appWriteLimit
  CLOSURE_BACKEND: backend
  CLOSURE_BASE_URL: checkedBaseUrl
  CLOSURE_BILLING_ACCOUNTS: billingAccounts
  CLOSURE_CALLBACK_APPS: callbackApps
  CLOSURE_CLIENT_ID: applicationId
  CLOSURE_CLOUD: checkedCloud
  CLOSURE_CREDENTIAL: 'federated'
  CLOSURE_HOME_TENANT_ID: home
  CLOSURE_IDENTITY_CLIENT_ID: identity.outputs.clientId
  CLOSURE_LANES: string(lanes)
  CLOSURE_MAIL_FROM: checkedMailFrom
  CLOSURE_PARTNER_TENANT_ID: partnerTenantId
  CLOSURE_RETENTION_DAYS: string(checkedRecordsDays)
  CLOSURE_SEAL_VAULT: vault.outputs.url
  CLOSURE_SHARD_SIZE: string(shardSize)
  CLOSURE_SMTP: smtp
  CLOSURE_SMTP_PASSWORD: empty(smtpUser) ? '' : '@Microsoft.KeyVault(SecretUri=${vault.outputs.url}secrets/closure-smtp-password)'
  CLOSURE_SMTP_USER: smtpUser
  CLOSURE_STORAGE__accountName: recordsStorage.outputs.name
  CLOSURE_STORAGE__clientId: identity.outputs.clientId
  CLOSURE_STORAGE__credential: 'managedidentity'
  CLOSURE_STORAGE__queueServiceUri: recordsStorage.outputs.queueUrl // for the queue triggers: the host knows no other cloud's endpoint
  CLOSURE_TEAMS_WEBHOOK: teamsCards ? '@Microsoft.KeyVault(SecretUri=${vault.outputs.url}secrets/closure-teams-webhook)' : ''
  CLOSURE_WRITE_LIMIT: writeLimit
  DURABLE_TASK_SCHEDULER_CONNECTION_STRING: usesScheduler ? 'Endpoint=${scheduler!.outputs.endpoint};Authentication=ManagedIdentity;ClientID=${identity.outputs.clientId}' : ''
  OTEL_EXPORTER_OTLP_ENDPOINT: collector
  OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identity.outputs.clientId
  PYTHON_ENABLE_OPENTELEMETRY: 'true'
  WEBSITE_AUTH_AAD_ALLOWED_TENANTS: home
}

module app 'modules/app.bicep' = {
  scope: group
  params: {
    name: appName
    location: location
    tags: tags
    planName: 'plan-closure-${token}'
    identityId: identity.outputs.id
    packagesUrl: hostStorage.outputs.packagesUrl
    clientId: applicationId
    settings: settings
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
  }
}

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output CLOSURE_APP_NAME string = app.outputs.name
output CLOSURE_APPLICATION_ID string = applicationId
output CLOSURE_AUDIT_CONTAINER string = recordsStorage.outputs.auditContainer
output CLOSURE_CONSENT_LINKS string[] = [
  for one in checkedTenants: '${environment().authentication.loginEndpoint}${one}/adminconsent?client_id=${applicationId}&redirect_uri=${uriComponent('${pages}/')}'
]
output CLOSURE_IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output CLOSURE_PAGES string = pages
output CLOSURE_RECORDS_ACCOUNT string = recordsStorage.outputs.name
output CLOSURE_VAULT_ID string = vault.outputs.id
output CLOSURE_VAULT_NAME string = vault.outputs.name
