// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultExit} from "./VaultExit.sol";
import {VaultPayments} from "./VaultPayments.sol";
import {VaultState} from "./VaultState.sol";

/// @notice The vault of one compartment: of one client, or of an omnibus. What left it and where it may go is enforced
/// here; nobody, the custodian included, can change the code.
/// @dev This is the implementation. Vaults are clones of it (`CloneCode`) whose address is their configuration; called
/// directly it refuses everything, because no configuration leads to its own address. There is no owner, initialiser,
/// upgrade, approval, delegated or arbitrary call, and no ERC-1271: signatures pay, they never permit.
contract ClientVault is VaultPayments, VaultExit {
    /// @dev Made by the factory, whose address every vault's address contains.
    constructor(address forwarderImplementation) VaultState(forwarderImplementation) {}
}
