// The Records: an account of their own, so that whoever runs the host's account holds none of the truth.

import { roles } from 'roles.bicep'

param name string
param location string
param tags object
param principalId string

@description('Reached by private endpoints only.')
param private bool

@description('Days for which storage refuses to change or delete a line of the audit chain.')
@minValue(1)
@maxValue(146000)
param auditRetentionDays int

@description('Whether the policy was locked: Azure refuses every change of it but a longer time, even one that changes nothing.')
param auditLocked bool

@description('How the account is copied. Zone-redundant where the region has zones.')
param sku string

// The names that tenantclosure/names.py gives them; a test holds the two together.
var recordsContainer = 'closures'
var auditContainer = 'closure-audit'
var recordsTable = 'closures'
var recordsQueues = [
  'closure-requests'
  'closure-requests-poison'
  'closure-notices'
  'closure-notices-poison'
]

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: private ? 'Deny' : 'Allow'
    }
  }
}

// What is overwritten or deleted by a slip comes back for thirty days. No versions: those would outlive a purge for ever.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: false
    deleteRetentionPolicy: {
      enabled: true
      days: 30
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource records 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: recordsContainer
  properties: {
    publicAccess: 'None'
  }
}

resource audit 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: auditContainer
  properties: {
    publicAccess: 'None'
  }
}

// The chain only grows: append blobs take new blocks under the policy, and what is written can't be changed. A template
// leaves it unlocked; locking can't be undone and is a person's decision (infra/README.md).
resource retention 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' = if (!auditLocked) {
  parent: audit
  name: 'default'
  properties: {
    allowProtectedAppendWrites: true
    immutabilityPeriodSinceCreationInDays: auditRetentionDays
  }
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = {
  parent: tables
  name: recordsTable
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [
  for each in recordsQueues: {
    parent: queues
    name: each
  }
]

// Reason: listings, plans, evidence and reports are written and read in this container, and in no other.
resource recordsBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(records.id, principalId, roles.storageBlobDataContributor)
  scope: records
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageBlobDataContributor
    )
  }
}

// Reason: the audit chain is created and appended to; no built-in role does that without deleting, so the policy above refuses it.
resource auditBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(audit.id, principalId, roles.storageBlobDataContributor)
  scope: audit
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageBlobDataContributor
    )
  }
}

// Reason: closures, decisions and tasks are rows; the program asks at its start to create the table, which takes the account.
resource recordsTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, roles.storageTableDataContributor)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageTableDataContributor
    )
  }
}

// Reason: requests and notices are put, taken and moved to their poison queues; the account holds no other queue.
resource recordsMessages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, roles.storageQueueDataContributor)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageQueueDataContributor
    )
  }
}

output id string = account.id
output name string = account.name
output queueUrl string = account.properties.primaryEndpoints.queue
output auditContainer string = audit.name
